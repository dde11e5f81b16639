"""How does a request travel? The data path: the only folder with asyncio, sockets and ssl.

`client.py` and `upstream.py` carry out the core's commands on the two sides of an exchange, `pool.py`
decides which origin connection is used, `worker.py` holds them together in one process and
`supervisor.py` starts and watches those processes. The words between the two are in `messages.py`.
"""
