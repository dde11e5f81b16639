"""What is unusual about a client's connection?

`Client.flags` is the sum of these. As long as it is 0, the end of an exchange needs no second look.
"""

from typing import Final

# Why the client is not read from.
PAUSED: Final = 1 << 0  # the core wants no more until the answer is finished
ORIGIN_FULL: Final = 1 << 1  # the origin reads more slowly than the client sends
QUEUED: Final = 1 << 2  # an open request waits for a connection
SPILLING: Final = 1 << 3  # a held body is being written to disk
OWED: Final = 1 << 4  # more requests are in the core's buffer, but the client reads no answers
TARPITTED: Final = 1 << 5  # refused, and kept waiting for it
HELD: Final = PAUSED | ORIGIN_FULL | QUEUED | SPILLING | OWED | TARPITTED
# What else is unusual.
CLOGGED: Final = 1 << 6  # the client reads more slowly than the origin answers
OPENED: Final = 1 << 7  # OPEN was given, END not yet
HOLDING: Final = 1 << 8  # HOLD was given, SEND not yet
PUMPING: Final = 1 << 9  # a held body is on its way from disk to the origin
PINNED: Final = 1 << 10  # the client owns an origin connection
HALF: Final = 1 << 11  # the client has closed its sending half
LEAVING: Final = 1 << 12  # close when nothing runs: the origin's login is gone
OUTDATED: Final = 1 << 13  # the exchange began under the policy before: its pools are kept
LINGER: Final = 1 << 14  # refused and half-closed: what still comes is thrown away
WAITING: Final = 1 << 15  # in the queue of a pool
TUNNELLED: Final = 1 << 16  # after an answer of 101
CLOSING: Final = 1 << 17  # closed, but the client has not taken all that was written
