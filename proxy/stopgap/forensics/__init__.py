"""What happened before, and what would happen now? Logs and recorded requests, read to be judged again.

`sources` opens a file and finds its format; `w3c`, `ncsa`, `native`, `har` and `raw` read one format each;
`request` makes the request that a line tells of, `lines` keeps every file within bounds. `replay` has two
rulesets judge the same requests, and `report` words what differs.
"""
