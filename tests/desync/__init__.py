"""Is a request with two readings refused, or one request for every server? `python -m tests.desync`."""
