"""How do an operator and a monitoring system see inside? `server` answers on the admin address, `metrics`
words the counters of the board, `status` is what the supervisor tells of itself.
"""
