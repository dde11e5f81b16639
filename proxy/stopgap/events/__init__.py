"""What is told of a refusal, and to whom? `schema` says what, `formats` in which words; `writer` brings it to
the log (`file`) and the syslog server, `find` reads it back.
"""
