"""The operator's bench: mitmproxy before the origin, which asks the gate's judge about every request.

`judge` asks the core and has no idea of mitmproxy. `wire` keeps the bytes that mitmproxy parses, `messages`
turns flows into bytes and back. `verdicts` is the addon that judges and refuses, `notes` makes vectors and
exceptions of flows, `view` explains a flow and has the commands, `kept` bounds what is remembered, and `run`
puts them into mitmweb or mitmdump. It is a process of its own, with one plain asyncio loop; nothing of the
gate imports it.
"""
