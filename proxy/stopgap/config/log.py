"""In which words, and where, are events told?

`log` names the file, or standard output; here is the rest: its format, its rotation, the syslog server,
whether clients are masked, and how many events are remembered.
"""

import re
from urllib.parse import urlsplit

from stopgap.config.checks import At, address
from stopgap.config.model import FORMATS, Address, FileText, RotateText, Rotation, Syslog, Telling
from stopgap.errors import nearest

_SIZE = re.compile(r"([0-9]{1,15}) ?(KiB|MiB|GiB)")
_UNITS = {"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}
SMALLEST, LARGEST = 64 << 10, 1 << 40
"""Bytes of a log that is rotated."""
MOST = 999
"""The most files that are kept."""
FEWEST_EVENTS, MOST_EVENTS = 1_000, 1_000_000
"""Events that may be remembered."""
PORTS = {"udp": 514, "tcp": 601}
"""Where a syslog server listens if nothing else is said (IANA: syslog, syslog-conn)."""
_RIGHT = 'write "udp://host:514", "tcp://host:601", or the path of a socket, such as "/dev/log"'


def telling(text: FileText, at: At) -> Telling:
    """What `log_format`, `log_rotate`, `syslog`, `mask_clients` and `remember_events` say.

    Raises `ConfigError`.
    """
    if text.log_format not in FORMATS:
        near = nearest(text.log_format, FORMATS).partition("; known:")[0]
        raise (at / "log_format").wrong(
            f'"{text.log_format}" is unknown{near}; choose one of {", ".join(FORMATS)}'
        )
    if not FEWEST_EVENTS <= text.remember_events <= MOST_EVENTS:
        raise (at / "remember_events").wrong(
            f"must be between {FEWEST_EVENTS} and {MOST_EVENTS}, not {text.remember_events}"
        )
    return Telling(
        format=text.log_format,
        rotation=_rotation(text.log_rotate, text.log, at / "log_rotate") if text.log_rotate else None,
        syslog=_syslog(text.syslog, at / "syslog") if text.syslog is not None else None,
        masked=text.mask_clients,
        remembered=text.remember_events,
    )


def _rotation(text: RotateText, log: str, at: At) -> Rotation:
    if log == "-":
        raise at.wrong('goes with a file only; name it, such as log = "/var/log/stopgap/events.log"')
    if not 1 <= text.keep <= MOST:
        raise (at / "keep").wrong(
            f"must be between 1 and {MOST} (older files beside the log), not {text.keep}"
        )
    return Rotation(size(text.size, at / "size", SMALLEST, LARGEST), text.keep)


def size(written: int | str, at: At, smallest: int, largest: int) -> int:
    """A number of bytes, or `100 MiB`, within these bounds. Raises `ConfigError`."""
    if isinstance(written, str):
        parts = _SIZE.fullmatch(written)
        if parts is None:
            raise at.wrong(
                f'"{written}" is not a size; write a number with KiB, MiB or GiB, such as "100 MiB"'
            )
        number = int(parts[1]) * _UNITS[parts[2]]
    else:
        number = written
    if not smallest <= number <= largest:
        raise at.wrong(f"must be between {_worded(smallest)} and {_worded(largest)}, not {written!r}")
    return number


def _worded(number: int) -> str:
    """A bound as it can be written."""
    unit = next((unit for unit in reversed(_UNITS) if number and number % _UNITS[unit] == 0), "")
    return f'"{number // _UNITS[unit]} {unit}"' if unit else str(number)


def _syslog(written: str, at: At) -> Syslog:
    wrong = at.wrong(f'"{written}" is not where a syslog server listens; {_RIGHT}')
    if not written.isprintable():
        raise wrong
    if written.removeprefix("unix:").startswith("/"):
        return Syslog("unix", address(written, at))
    try:
        url = urlsplit(written)
        host, port = url.hostname or "", url.port
    except ValueError:
        raise wrong from None
    more = url.username is not None or url.path not in ("", "/") or url.query or url.fragment
    if url.scheme not in PORTS or not host or port == 0 or more or " " in host:
        raise wrong
    return Syslog(url.scheme, Address(host, PORTS[url.scheme] if port is None else port))
