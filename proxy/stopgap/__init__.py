"""Stopgap: a reverse proxy for web servers that cannot be patched.

It reads each request in every way the old IIS behind it might read it, refuses what would reach a known
hole and forwards the rest. `stopgap serve` runs it; `stopgap._core` holds the judge.
"""

__version__ = "0.1.0"
