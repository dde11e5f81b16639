"""A supervisor that serves nothing: its configuration, rules, board and events are real, and it reloads."""

import datetime
import functools
import tempfile
from pathlib import Path

from stopgap import _core, config
from stopgap.admin.metrics import Board
from stopgap.admin.status import Answer, Reload, Site, Status
from stopgap.errors import InputError
from stopgap.events.writer import Writer
from stopgap.gate.handover import Counters, Handover, prepare
from stopgap.gate.messages import EventLine
from stopgap.ruleset.history import Kept
from stopgap.ruleset.spec import Registry
from tests.unit.events.test_schema import changed

TODAY = datetime.date(2026, 11, 28)
NAME = "kaikei"
TEXT = """\
[[site]]
name = "kaikei"  # accounting
hosts = ["kaikei.example"]
origins = "http://192.0.2.1"
server = "iis5"
packs = ["code-red"]
"""


def line(number: int, **keys: object) -> EventLine:
    """An event of the worm, as a worker tells it."""
    worm: dict[str, object] = {
        "first": 0,
        "last": 0,
        "site": NAME,
        "reading": "raw",
        "offset": 1,
        "mode": "block",
    }
    worm |= {"target": b"/default.ida?N", "length": 14, "host": "kaikei.example", "agent": b""}
    return changed(**{**worm, "client": "192.0.2.77", "id": number, **keys})


@functools.cache
def _prepared() -> tuple[Path, Counters, Handover]:
    file = Path(tempfile.mkdtemp()) / "stopgap.toml"
    file.write_text(TEXT, "utf-8")
    counters = Counters(registry=Registry(), origins={})
    return file, counters, prepare(lambda: config.load(str(file)), counters, TODAY)


class Source:
    """Without a `file` all share one configuration, which no test may write."""

    def __init__(self, file: Path | None = None) -> None:
        self.ready = True
        self.asked: list[str] = []
        self.refuses = ""
        self.rolled_back = ""
        self.file, self.counters, self.handover = _prepared()
        if file is not None:
            file.write_text(TEXT, "utf-8")
            self.file = file
            self.handover = prepare(self._read, self.counters, TODAY)
        self.writer = Writer("-", self.handover.known())
        words = _core.BOARD_WORDS + _core.RATE_WORDS
        self.words = memoryview(bytearray(8 * words)).cast("Q")
        self.board = Board(self.words, 1)

    def _read(self) -> config.Config:
        return config.load(str(self.file))

    def count(self, region: str, index: int, by: int = 1) -> None:
        """Count on the board as a worker does."""
        places = {name: first for name, first, _ in _core.board()}
        self.words[places[region] + index] += by

    @property
    def status(self) -> Status:
        sites = tuple(
            Site(
                name=site.name,
                hosts=site.hosts,
                server=site.server,
                codepages=site.codepages,
                mode=site.mode,
                canary=site.canary,
                modes=self.handover.modes[site.name],
                on_error=site.on_error,
                body=site.body,
                rules=0,
                exceptions=(),
                origins=(),
            )
            for site in self.handover.config.sites
        )
        return Status(
            version="1.2.3",
            started="",
            started_unix=0.0,
            loaded_unix=0.0,
            state="ready" if self.ready else "draining",
            ready=self.ready,
            ruleset="ab",
            listen=(),
            admin="",
            tls=False,
            sites=sites,
            workers=(),
            reload=Reload(time="", unix=0.0, ok=True),
            reloads=0,
            events_written=0,
            events_dropped=0,
            rolled_back=self.rolled_back,
        )

    def rulesets(self) -> list[Kept]:
        return [Kept(version=version, time="now", config="c", texts={"c": "x"}) for version in ("aa", "ab")]

    def ask(self, verb: str) -> Answer:
        self.asked.append(verb)
        if verb != "reload" or self.refuses:
            return Answer(ok=verb == "drain", text=self.refuses or f"did {verb}")
        try:
            self.handover = prepare(self._read, self.counters, TODAY)
        except InputError as error:
            return Answer(False, str(error))
        return Answer(True, "reloaded")
