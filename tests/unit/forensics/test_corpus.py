"""Is every request of every log there once, with its client and day, and events as often as they say?"""

import ipaddress
from pathlib import Path

import msgspec
import pytest

from stopgap.events import formats
from stopgap.events.schema import ANSWER
from stopgap.forensics.corpus import Corpus, Heard, among
from stopgap.forensics.sources import Account
from tests.unit.events.test_find import EVENT
from tests.unit.forensics import tunable

TIME = EVENT.timestamp
TEN = ipaddress.ip_network("10.0.0.0/8")


def test_a_log(tmp_path: Path) -> None:
    lines = ["10.0.0.1 GET /日.asp q=1 200", "192.0.2.7 GET /b - 404", "noise"]
    account, heard = Account(), Heard()
    sent = list(tunable.corpus(tmp_path, lines).sent(account, heard))
    assert [(one.told.client, one.told.day, one.times, one.event) for one in sent] == [
        (b"10.0.0.1", b"2026-11-20", 1, None),
        (b"192.0.2.7", b"2026-11-21", 1, None),
    ]
    assert (account.requests, account.broken, heard.others) == (2, 1, 0)
    assert not any(one.whole for one in sent)


def test_chosen_clients(tmp_path: Path) -> None:
    lines = ["10.0.0.1 GET /a - 200", "192.0.2.7 GET /b - 404", "- GET /c - 200"]
    heard = Heard()
    sent = list(tunable.corpus(tmp_path, lines, (TEN,)).sent(Account(), heard))
    assert [one.told.client for one in sent] == [b"10.0.0.1"]
    assert heard.others == 2


@pytest.mark.parametrize("name", list(formats.FORMATS))
def test_events(tmp_path: Path, name: str) -> None:
    events = [
        msgspec.structs.replace(EVENT, client="10.0.0.1", event_action="detected"),
        msgspec.structs.replace(
            EVENT, client="10.0.0.1", event_action="detected", count=7, event_start=TIME, event_end=TIME
        ),
        msgspec.structs.replace(EVENT, event_action=ANSWER, status=200),
        msgspec.structs.replace(EVENT, reason="origin-closed", tier="failed"),
        msgspec.structs.replace(EVENT, method="", target="", tier="malformed", reason="bad-method"),
    ]
    file = tmp_path / "events.log"
    lines = [formats.record(event, name).line for event in events]
    lines += [formats.lost(3, 1_800_000_000.0, name).line, b"noise", b""]
    file.write_bytes(b"\n".join(lines))
    account, heard = Account(), Heard()
    corpus = Corpus([str(file)], None, b"h", (), None)
    sent = list(corpus.sent(account, heard))
    assert [(one.line, one.told.client, one.told.day, one.times, one.site) for one in sent] == [
        (1, b"10.0.0.1", b"2026-11-24", 1, "s"),
        (2, b"10.0.0.1", b"2026-11-24", 7, "s"),
    ]
    assert (heard.events, heard.no_request, account.broken) == (3, 1, 1)


def test_what_is_empty_or_whole(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    (tmp_path / "raw").write_bytes(b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n")
    files = [str(tmp_path / "empty"), str(tmp_path / "raw")]
    account = Account()
    (one,) = Corpus(files, None, b"h", (), None).sent(account, Heard())
    assert one.whole
    assert account.files == 2


@pytest.mark.parametrize(
    ("client", "wanted"),
    [
        ("10.1.2.3", True),
        ("10.1.0.0/16", True),
        ("0.0.0.0/0", False),
        ("::1", False),
        ("", False),
        ("x", False),
    ],
)
def test_among(client: str, wanted: bool) -> None:
    assert among([TEN])(client) is wanted
    assert among([])(client)
