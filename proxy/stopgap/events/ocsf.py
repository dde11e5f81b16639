"""How is an event told in the Open Cybersecurity Schema Framework, and read again?

As HTTP Activity (4002) with the profile Security Control: one request, and what a control did with it. A
Detection Finding (2004) is a case that is opened, worked on and closed, and has the request only among its
evidences; a refusal has no such life. Version 1.5.0, because before 1.4 the class wanted an answer of the
server and a destination, which a refused request never had. What the schema has no word for stands in
`unmapped` under the keys of the ECS line, so that an event can be read back whole.
"""

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec

from stopgap import __version__
from stopgap.events.schema import ECS, LOST, LOST_REASON, Event, stamp

VERSION = "1.5.0"
PROFILE = "security_control"
NETWORK, HTTP = 4, 4002
"""Category and class; their names are left out, for a line has a limit."""
_METHODS = ("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "POST", "PUT", "TRACE")
"""activity_id 1 and on."""
OTHER = 99
_SEVERITIES = {
    "denied": (3, "Medium"),
    "ambiguous": (3, "Medium"),
    "malformed": (2, "Low"),
    "failed": (2, "Low"),
}
_HIGH = (4, "High")
_DENIED, _OBSERVED, _MODIFIED = (2, "Denied"), (3, "Observed"), (4, "Modified")
_FATES = {
    "refused": (_DENIED, (2, "Blocked")),
    "tarpitted": (_DENIED, (2, "Blocked")),
    "dropped": (_DENIED, (6, "Dropped")),
    "detected": (_OBSERVED, (15, "Detected")),
    "stripped": (_MODIFIED, (11, "Corrected")),
}
"""What was done -> action, disposition."""
_ALERTED = (_OBSERVED, (19, "Alert"))
"""Those of whatever else an event may tell of."""
_ERROR = (27, "Error")
"""Disposition of what no rule refused: the origin failed, or the gate."""


def line(told: Event) -> bytes:
    """The event as a line, without its line feed."""
    return msgspec.json.encode(record(told))


def record(told: Event) -> dict[str, Any]:
    """The event as the schema wants it; what is empty is left out."""
    action, disposition = _FATES.get(told.event_action, _ALERTED)
    alarm = told.event_action not in _FATES
    number = _METHODS.index(told.method) + 1 if told.method in _METHODS else OTHER if told.method else 0
    names = {0: "Unknown", OTHER: told.method}
    return {
        **_head(told.event_id, number, names.get(number, told.method.capitalize())),
        "time": _milliseconds(told.timestamp),
        **_pair("severity", _HIGH if alarm else _SEVERITIES.get(told.tier, (1, "Informational"))),
        **_pair("status", (2, "Failure") if told.event_outcome == "failure" else (1, "Success")),
        "status_detail": told.reason,
        "message": told.event_reason,
        **_pair("action", action),
        **_pair("disposition", _ERROR if told.tier == "failed" and action == _DENIED else disposition),
        "is_alert": told.event_kind == "alert",
        **_period(told),
        **_optional("firewall_rule", _filled(uid=told.rule_id, name=told.rule_name)),
        **_optional("src_endpoint", _filled(ip=told.client)),
        **_optional("dst_endpoint", _filled(hostname=told.host)),
        "http_request": _filled(
            http_method=told.method if told.method in _METHODS else "",
            user_agent=told.agent,
            url=_url(told.target),
        ),
        **_optional("http_response", _filled(code=told.status)),
        "unmapped": _unmapped(told),
    }


def lost(count: int, now: float) -> bytes:
    """The line that says how many events are missing, as an event of no class."""
    said = {
        "metadata": _metadata(""),
        **{"category_uid": 0, "class_uid": 0, "type_uid": OTHER},
        **{"activity_id": OTHER, "activity_name": LOST},
        "time": round(now * 1000),
        **_pair("severity", (3, "Medium")),
        "message": LOST_REASON,
        "count": count,
    }
    return msgspec.json.encode(said)


def read(text: bytes) -> Event | None:
    """The event that a line tells of; None when it is none of `line`."""
    try:
        told = msgspec.json.decode(text)
        request, unmapped = told["http_request"], told["unmapped"]
        known = {
            "@timestamp": stamp(told["time"] / 1000),
            "ecs.version": ECS,
            "event.id": told["metadata"]["uid"],
            "event.kind": "alert" if told["is_alert"] else "event",
            "event.category": ["web"],
            "event.type": ["access", "denied" if told["status_id"] == 2 else "allowed"],
            "event.outcome": "failure" if told["status_id"] == 2 else "success",
            "event.reason": told["message"],
            **{f"event.{name}": stamp(told[key] / 1000) for name, key in _PERIOD if key in told},
            "stopgap.reason": told["status_detail"],
            "rule.id": told.get("firewall_rule", {}).get("uid", ""),
            "rule.name": told.get("firewall_rule", {}).get("name", ""),
            "source.ip": told.get("src_endpoint", {}).get("ip", ""),
            "url.domain": told.get("dst_endpoint", {}).get("hostname", ""),
            "http.request.method": request.get("http_method", ""),
            "user_agent.original": request.get("user_agent", ""),
            "url.original": _target(request.get("url", {})),
            "http.response.status_code": told.get("http_response", {}).get("code", 0),
            **unmapped,
        }
        return msgspec.convert(known, Event)
    except (
        msgspec.MsgspecError,
        UnicodeDecodeError,
        LookupError,
        TypeError,
        AttributeError,
        ValueError,
        OverflowError,
    ):
        return None


_PERIOD = (("start", "start_time"), ("end", "end_time"))


def _head(uid: str, number: int, name: str) -> dict[str, Any]:
    return {
        "metadata": {**_metadata(uid), "profiles": [PROFILE]},
        **{"category_uid": NETWORK, "class_uid": HTTP, "type_uid": HTTP * 100 + number},
        **{"activity_id": number, "activity_name": name},
    }


def _metadata(uid: str) -> dict[str, Any]:
    product = {"name": "Stopgap", "version": __version__}
    return {"version": VERSION, "product": product, **_filled(uid=uid)}


def _pair(name: str, value: tuple[int, str]) -> dict[str, Any]:
    """A number of the schema and its word: `severity_id` and `severity`."""
    return {f"{name}_id": value[0], name: value[1]}


def _filled(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value}


def _optional(name: str, value: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value} if value else {}


def _period(told: Event) -> dict[str, int]:
    """Of a summary, how many requests came from when to when."""
    if not told.count:
        return {}
    period = (_milliseconds(told.event_start), _milliseconds(told.event_end))
    return {"count": told.count, "start_time": period[0], "end_time": period[1]}


def _url(target: str) -> dict[str, str]:
    """The target in the parts of the schema: a path and a query, or all of an absolute one."""
    if not target:
        return {}
    if not target.startswith("/"):
        return {"url_string": target}
    path, mark, query = target.partition("?")
    return {"path": path, "query_string": query} if mark else {"path": path}


def _target(url: Mapping[str, str]) -> str:
    query = f"?{url['query_string']}" if "query_string" in url else ""
    return url.get("url_string", "") or url.get("path", "") + query


def _unmapped(told: Event) -> dict[str, Any]:
    """What only Stopgap knows, by the keys of the ECS line."""
    known = msgspec.to_builtins(told)
    more = {
        key: value for key, value in known.items() if key.startswith("stopgap.") and key != "stopgap.reason"
    }
    method = told.method if told.method not in _METHODS else ""
    return {"event.action": told.event_action, **_filled(**{"http.request.method": method}), **more}


def _milliseconds(timestamp: str) -> int:
    return round(datetime.datetime.fromisoformat(timestamp).timestamp() * 1000)
