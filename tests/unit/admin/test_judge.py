"""Is the request of an event explained by the rules in use, and compiled only when they change?"""

import datetime

import msgspec

from stopgap.admin.judge import Judge
from stopgap.events.schema import ANSWER, Event
from stopgap.gate.handover import renewed
from tests.unit.admin.source import Source, line


def event(source: Source, **keys: object) -> Event:
    return source.writer.told((line(7, **keys), 1000.0))


def test_readings_findings_and_titles() -> None:
    source = Source()
    told = Judge().explained(source.handover, event(source, target=b"/x.%2569da", length=10))
    assert [reading["path"] for reading in told["seen"]["readings"]] == ["/x.%69da", "/x.ida"]
    assert told["seen"]["verdict"]["rule"] == "ida-idq"
    assert told["titles"]["ida-idq"]["title"].startswith("Index Server")
    assert (told["differs"], told["steps"]) == (False, [])
    assert told["missing"] == ("the headers but Host", "the body")


def test_what_was_sent_is_told_as_people_may_see_it() -> None:
    """Readings are decoded: what is harmless as it was sent may move a cursor, or turn the text, in one."""
    source = Source()
    target = b"/%E2%80%AEa%1b%c2%9b" + b"x" * 3000 + b".ida"
    told = Judge().explained(source.handover, event(source, target=target, length=len(target)))
    texts = msgspec.json.encode(told["seen"]).decode()
    assert texts.isprintable() and "\\u202e" in texts
    assert all(len(reading["path"]) < 1000 for reading in told["seen"]["readings"])


def test_what_is_not_found_again_is_said() -> None:
    source = Source()
    assert Judge().explained(source.handover, event(source, target=b"/", length=1))["differs"]


def test_steps_after_an_answer() -> None:
    source = Source()
    told = Judge().explained(source.handover, event(source, action=ANSWER, status=200))
    assert any("MS01-033" in step for step in told["steps"])


def test_a_request_that_is_not_known() -> None:
    source = Source()
    judge = Judge()
    assert judge.explained(source.handover, event(source, target=b"", length=0))["seen"] is None
    assert judge.explained(source.handover, event(source, site="gone"))["seen"] is None


def test_it_is_compiled_once_for_a_ruleset() -> None:
    source = Source()
    judge = Judge()
    first = judge._of(source.handover)
    assert judge._of(source.handover) is first
    other = renewed(source.handover, source.counters, datetime.date(2030, 1, 1))
    assert (judge._of(other) is first) == (other.activate.version == source.handover.activate.version)
