"""How was one request read, what matched where, and why was it refused?

`read` turns the core's JSON into structs, `render` those into text for people. Everything that came with the
request is shown with its control characters escaped, so that an attack cannot paint the terminal.
"""

from collections.abc import Iterator, Mapping

import msgspec
from rich.text import Text

from stopgap import _core
from stopgap.errors import printable
from stopgap.ruleset.model import Rule

COLOURS = {
    "denied": "bold red",
    "ambiguous": "bold magenta",
    "malformed": "bold yellow",
    "failed": "bold blue",
}
WIDEST = 400
"""Characters of a target or reading that are shown; the middle of a longer one is left out."""


class Verdict(msgspec.Struct, frozen=True):
    """What would happen: the gravest finding that no exception covers."""

    tier: str
    reason: str
    status: int
    rule: str | None
    reading: int
    offset: int
    excepted: str | None = None


class Reading(msgspec.Struct, frozen=True):
    """One way in which the server may read the path."""

    path: str
    resolved: str
    steps: tuple[str, ...]
    names: tuple[str, ...] = ()


class Query(msgspec.Struct, frozen=True):
    """One way in which a script may read the query."""

    query: str
    steps: tuple[str, ...]


class Finding(msgspec.Struct, frozen=True):
    """One thing that speaks against the request, and the exception that covers it, if one does."""

    tier: str
    reason: str
    rule: str | None
    field: str | None
    reading: int
    offset: int
    text: str
    excepted: str | None = None


class Explanation(msgspec.Struct, frozen=True):
    """Everything about one request, as `Policy.explain` tells it."""

    site: str
    server: str
    mode: str
    method: str
    target: str
    host: str
    verdict: Verdict | None
    readings: tuple[Reading, ...]
    queries: tuple[Query, ...]
    findings: tuple[Finding, ...]
    forwarded: str | None = None


_DECODER = msgspec.json.Decoder(Explanation)


def read(explained: bytes) -> Explanation:
    """The JSON of `Policy.explain` as structs."""
    return _DECODER.decode(explained)


def render(seen: Explanation, rules: Mapping[str, Rule]) -> Text:
    """The explanation for people; `rules` gives the titles of what matched."""
    text = Text()
    for part in (
        _request(seen),
        _readings(seen),
        _queries(seen),
        _findings(seen, rules),
        _verdict(seen, rules),
    ):
        for line in part:
            text.append_text(line).append("\n")
    return text


def _request(seen: Explanation) -> Iterator[Text]:
    yield Text.assemble(("request   ", "dim"), f"{shown(seen.method)} {shown(seen.target)}")
    host = shown(seen.host) or "(none)"
    yield Text.assemble(
        ("site      ", "dim"), f"{seen.site}: host {host}, server {seen.server}, mode {seen.mode}"
    )


def _readings(seen: Explanation) -> Iterator[Text]:
    marked = {
        finding.reading: COLOURS.get(finding.tier, "")
        for finding in reversed(seen.findings)
        if _in_path(finding)
    }
    for index, reading in enumerate(seen.readings):
        label = f"reading {index:<2}"
        line = Text.assemble((label, "dim"), (shown(reading.path), marked.get(index, "")))
        if reading.resolved != reading.path:
            line.append(" = ").append(shown(reading.resolved))
        yield line.append(f"   [{' > '.join(reading.steps) or 'as it came'}]", "dim")


def _queries(seen: Explanation) -> Iterator[Text]:
    for index, query in enumerate(seen.queries):
        steps = f"   [{' > '.join(query.steps) or 'as it came'}]"
        yield Text.assemble((f"query {index:<4}", "dim"), shown(query.query), (steps, "dim"))


def _findings(seen: Explanation, rules: Mapping[str, Rule]) -> Iterator[Text]:
    for finding in seen.findings:
        line = Text.assemble(("found     ", "dim"), (finding.reason, COLOURS.get(finding.tier, "")))
        if finding.rule:
            rule = rules.get(finding.rule)
            line.append(f" rule {finding.rule}").append(f" ({rule.title})" if rule else "")
        where = (
            f"reading {finding.reading}, offset {finding.offset}"
            if _in_path(finding)
            else f"offset {finding.offset}"
        )
        line.append(f" in {finding.field}" if finding.field else "").append(f" at {where}", "dim")
        if finding.text:
            line.append(f": {shown(finding.text)}")
        if finding.excepted:
            line.append(f"   excepted: {finding.excepted}", "green")
        yield line


def _verdict(seen: Explanation, rules: Mapping[str, Rule]) -> Iterator[Text]:
    if seen.verdict is None:
        yield Text.assemble(("verdict   ", "dim"), ("passes", "bold green"))
        return
    sentences = {name: (iis, text) for name, _, _, iis, text in _core.reasons()}
    iis, sentence = sentences.get(seen.verdict.reason, ("", ""))
    substatus = f" (IIS {iis})" if iis else ""
    tier = seen.verdict.tier
    yield Text.assemble(
        ("verdict   ", "dim"),
        (f"refused with {seen.verdict.status}{substatus}: {seen.verdict.reason}", COLOURS.get(tier, "")),
        f", {tier}",
    )
    yield Text.assemble(("why       ", "dim"), sentence)
    if rule := rules.get(seen.verdict.rule or ""):
        yield Text.assemble(("rule      ", "dim"), f"{rule.id}: {rule.title}")
        if rule.why:
            yield Text.assemble(("          ", "dim"), rule.why)
        if rule.refs:
            yield Text.assemble(("refs      ", "dim"), ", ".join(rule.refs))
    if seen.mode == "detect":
        fate = "it is refused even so" if tier == "malformed" else "it is counted, logged and forwarded"
        yield Text.assemble(("mode      ", "dim"), f"the site is in detect mode: {fate}")


def _in_path(finding: Finding) -> bool:
    return (
        finding.field in (None, "path", "extension", "segment", "basename", "depth")
        and finding.tier != "malformed"
    )


def shown(text: str) -> str:
    """`text` with control characters escaped, and cut in the middle when it is long."""
    if len(text) > WIDEST:
        text = f"{text[: WIDEST // 2]} ... ({len(text)} characters) ... {text[-WIDEST // 4 :]}"
    return printable(text)
