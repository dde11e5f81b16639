"""Is an event told as the published schema wants it, and can it be read back whole?"""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema

from stopgap.events import ocsf, schema
from stopgap.events.schema import Event
from tests.unit.events.test_schema import KNOWN, NOW, changed

DOCS = Path(__file__).parents[3] / "docs"


def validator(name: str) -> Draft202012Validator:
    """Of a class of the schema as it was published, with the profile that is used."""
    published = OcsfJsonSchemaEmbedded(get_ocsf_schema(version=ocsf.VERSION))
    profiles = [ocsf.PROFILE] if name == "http_activity" else []
    return Draft202012Validator(published.get_class_schema(name, profiles))


HTTP = validator("http_activity")


def made(**changes: object) -> Event:
    return schema.event(changed(**changes), NOW, KNOWN)


def told(event: Event) -> dict[str, Any]:
    line = ocsf.line(event)
    decoded: dict[str, Any] = json.loads(line)
    assert [str(error) for error in HTTP.iter_errors(decoded)] == []
    return decoded


def test_a_refusal() -> None:
    event = told(made())
    assert (event["class_uid"], event["type_uid"], event["activity_name"]) == (4002, 400203, "Get")
    assert event["time"] == 999_999_998_500
    assert (event["action"], event["disposition"], event["status"]) == ("Denied", "Blocked", "Failure")
    assert event["is_alert"] is True
    assert event["firewall_rule"] == {"uid": "ida-idq", "name": "索引"}
    assert event["metadata"]["uid"] == "000000000000d1ce"
    assert event["http_request"]["url"] == {"path": "/default.ida", "query_string": '\\x90\\x00"\\x5c'}
    assert event["http_response"] == {"code": 404}
    assert event["src_endpoint"] == {"ip": "192.0.2.1"}
    assert (event["status_detail"], event["unmapped"]["stopgap.mode"]) == ("extension-denied", "canary")


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        ({"action": "dropped"}, ("Denied", "Dropped", "Medium", "Failure")),
        ({"action": "tarpitted"}, ("Denied", "Blocked", "Medium", "Failure")),
        ({"action": "detected"}, ("Observed", "Detected", "Medium", "Success")),
        ({"action": "stripped"}, ("Modified", "Corrected", "Medium", "Success")),
        ({"tier": "malformed"}, ("Denied", "Blocked", "Low", "Failure")),
        ({"tier": "failed", "reason": "origin-closed"}, ("Denied", "Error", "Low", "Failure")),
    ],
)
def test_what_was_done(changes: dict[str, object], wanted: tuple[str, ...]) -> None:
    event = told(made(**changes))
    assert (event["action"], event["disposition"], event["severity"], event["status"]) == wanted


def test_an_event_of_another_kind_is_an_alert() -> None:
    event = told(msgspec.structs.replace(made(), event_action="something-new"))
    assert (event["disposition"], event["severity"]) == ("Alert", "High")


@pytest.mark.parametrize(
    ("method", "activity"),
    [("GET", 3), ("POST", 6), ("CONNECT", 1), ("TRACE", 8), ("PROPFIND", 99), ("", 0)],
)
def test_methods(method: str, activity: int) -> None:
    event = told(made(method=method))
    assert (event["activity_id"], event["type_uid"]) == (activity, 400200 + activity)
    assert event["activity_name"] == (method if activity == 99 else method.capitalize() or "Unknown")


def test_a_summary() -> None:
    event = told(made(count=12, first=60_000, last=1000))
    assert (event["count"], event["end_time"] - event["start_time"]) == (12, 59_000)


def test_nothing_but_an_id() -> None:
    event = told(
        made(method="", target=b"", length=0, host="", agent=b"", client="", rule="", action="dropped")
    )
    assert event["http_request"] == {}
    assert not {"src_endpoint", "dst_endpoint", "firewall_rule", "http_response"} & event.keys()


def test_missing_events() -> None:
    line = json.loads(ocsf.lost(7, NOW))
    assert [str(error) for error in validator("base_event").iter_errors(line)] == []
    assert (line["count"], line["activity_name"]) == (7, "lost")


@settings(max_examples=60)
@given(
    st.fixed_dictionaries(
        {
            "target": st.binary(max_size=60) | st.just(b"/?") | st.just(b"http://h/x?y?z") | st.just(b"*"),
            "agent": st.binary(max_size=20),
            "method": st.sampled_from(["GET", "PROPFIND", ""]),
            "host": st.sampled_from(["", "h.example"]),
            "client": st.sampled_from(["", "192.0.2.1", "2001:db8::1"]),
            "rule": st.sampled_from(["", "ida-idq", "other"]),
            "tier": st.sampled_from(["denied", "ambiguous", "malformed", "failed"]),
            "action": st.sampled_from(["refused", "dropped", "tarpitted", "detected", "stripped"]),
            "count": st.integers(0, 2**63 - 1),
            "first": st.integers(0, 10**6),
            "reading": st.text(max_size=20),
        }
    )
)
def test_what_is_told_can_be_read_back(changes: dict[str, object]) -> None:
    event = made(**changes)
    assert ocsf.read(ocsf.line(event)) == event


@pytest.mark.parametrize("line", [b"", b"{}", b"[1]", b"\xff", b'{"http_request": 1, "unmapped": 2}', b"{"])
def test_what_is_no_event(line: bytes) -> None:
    assert ocsf.read(line) is None


def test_no_field_of_a_line_may_have_another_type() -> None:
    whole = ocsf.record(made())
    wrong: list[object] = [None, [], "x", {"uid": 1}, 10**30]
    for key in whole:
        for value in wrong:
            line = json.dumps({**whole, key: value}).encode()
            assert ocsf.read(line) is None or isinstance(ocsf.read(line), Event)


def test_the_example_of_the_docs_is_that_event() -> None:
    first, _, _ = (DOCS / "event.json").read_bytes().partition(b"\n")
    event = msgspec.json.decode(first, type=Event)
    shown = json.loads((DOCS / "event-ocsf.json").read_bytes())
    wanted = ocsf.record(event)
    for one in (shown, wanted):
        del one["metadata"]["product"]["version"]
    assert shown == json.loads(json.dumps(wanted))
