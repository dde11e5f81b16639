"""How do an operator and a monitoring system see inside? `server` says who may ask on the admin address,
`routes` what is answered; `page` has the files of the dashboard, `telling`, `judge` and `series` its data,
and `change` what it changes. `metrics` words the counters of the board, `status` is what the supervisor tells
of itself.
"""
