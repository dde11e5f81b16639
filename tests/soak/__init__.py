"""Does anything grow under hours of mixed traffic? `python -m tests.soak` measures it."""
