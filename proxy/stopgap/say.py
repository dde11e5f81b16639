"""How does a running gate tell people something?

On standard error, one line at a time. That may be a file on a disk that is full, or a pipe that nobody reads
any more: then the line is lost, and nothing else is.
"""

import contextlib
import sys


def say(text: str) -> None:
    """This line."""
    with contextlib.suppress(OSError):
        print(f"stopgap: {text}", file=sys.stderr, flush=True)
