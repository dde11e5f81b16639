"""Which request is meant, of those that were kept as evidence or that a flow file holds?

`stopgap explain --flow FILE` takes any flow file, or a folder of them; `--event ID` alone looks in what the
gate of the configuration has kept.
"""

from collections.abc import Iterator
from pathlib import Path

from stopgap.config import Config
from stopgap.errors import ConfigError
from stopgap.events import flows, ring
from stopgap.events.flows import Flow

LARGEST = 1 << 28
"""Bytes of the largest flow file that is read."""


def chosen(place: str, event: str | None) -> Flow:
    """The first request of a flow file, of a folder that of the newest; or the one of an event.

    Raises `ConfigError`.
    """
    broken = ""
    for file in _files(Path(place)):
        for number, flow in enumerate(flows.read(_bytes(file)), 1):
            if isinstance(flow, str):
                broken = broken or f"{file}: flow {number} {flow}"
            elif event is None or flow.metadata.get(flows.EVENT) == event:
                return flow
    what = f"holds no request of event {event}" if event else "holds no request"
    raise ConfigError(f"--flow: {place}: {what}" + (f"; {broken}" if broken else ""))


def site_of(flow: Flow, read: Config) -> str | None:
    """The site that judged it, if the configuration has it: a broken request need not name its host."""
    name = flow.metadata.get(flows.SITE)
    return name if name in [site.name for site in read.sites] else None


def kept(read: Config, site: str, event: str) -> Flow | None:
    """What the gate of a configuration has kept of an event. Raises `OSError`."""
    if not read.state:
        return None
    for file in reversed(ring.files(ring.folder(read.state, site))):
        data = _found(file, event)
        for flow in flows.read(data):
            if isinstance(flow, Flow) and flow.metadata.get(flows.EVENT) == event:
                return flow
    return None


def _found(file: Path, event: str) -> bytes:
    """The bytes of a file that names the event; nothing of any other, or of one that has just gone."""
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return b""
    return data if event.encode() in data else b""


def _files(place: Path) -> Iterator[Path]:
    if not place.is_dir():
        yield place
        return
    try:
        found = [path for path in place.rglob(f"*{ring.SUFFIX}") if path.is_file()]
    except OSError as error:
        raise ConfigError(f"--flow: {place}: cannot be read: {error.strerror}") from None
    if not found:
        raise ConfigError(f"--flow: {place}: holds no file whose name ends in {ring.SUFFIX}")
    yield from sorted(found, key=lambda path: path.name, reverse=True)


def _bytes(file: Path) -> bytes:
    try:
        if file.stat().st_size > LARGEST:
            raise ConfigError(f"--flow: {file}: holds more than {LARGEST} bytes; split it")
        return file.read_bytes()
    except OSError as error:
        raise ConfigError(f"--flow: {file}: cannot be read: {error.strerror}") from None
