"""How was one request read, what matched where, and why was it refused?

`read` turns the core's JSON into structs, `render` those into text for people. Everything that came with the
request is shown with its control characters escaped, so that an attack cannot paint the terminal.
"""

from collections.abc import Iterator, Mapping, Sequence

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
VERDICTS = {
    "block": "refused with {status}",
    "drop": "closed without an answer",
    "tarpit": "refused with {status} when the tarpit's deadline is over",
    "strip": "forwarded without the rule's headers",
    "detect": "counted, logged and forwarded",
}
"""What the action of a rule comes to."""
MODES = {
    "detect": "it is counted, logged and forwarded",
    "canary": "so it is for the site's share of the clients; for others it is counted, logged and forwarded",
}
WIDEST = 400
"""Characters of a target or reading that are shown; the middle of a longer one is left out."""


class Verdict(msgspec.Struct, frozen=True):
    """What would happen: the first finding that no exception covers and that is carried out for some client,
    else the first of all. `action` is the rule's, `mode` the one in force for this rule or reason."""

    tier: str
    reason: str
    status: int
    rule: str | None
    reading: int
    offset: int
    action: str = "block"
    mode: str = "block"


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
    """One thing that speaks against the request. `text` is the reason's sentence, `found` what a rule hit.

    `excepted` is the index of the site's exception that covers it. `counted`: the rule has a rate, so that
    this alone refuses nothing.
    """

    tier: str
    reason: str
    rule: str | None
    field: str | None
    reading: int
    offset: int
    text: str
    found: str = ""
    excepted: int | None = None
    action: str = "block"
    mode: str = "block"
    counted: bool = False


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


def render(seen: Explanation, rules: Mapping[str, Rule], exceptions: Sequence[str] = ()) -> Text:
    """The explanation for people; `rules` gives titles, `exceptions` why the site made each of its own."""
    text = Text()
    findings = _findings(seen, rules, exceptions)
    for part in (_request(seen), _readings(seen), _queries(seen), findings, _verdict(seen, rules)):
        for line in part:
            text.append_text(line).append("\n")
    return text


def _request(seen: Explanation) -> Iterator[Text]:
    line = f"{shown(seen.method)} {shown(seen.target)}".strip() or "(cannot be parsed)"
    yield Text.assemble(("request   ", "dim"), line)
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


def _findings(seen: Explanation, rules: Mapping[str, Rule], exceptions: Sequence[str]) -> Iterator[Text]:
    """One line for what was found, with all readings in which it was."""
    alike: dict[tuple[object, ...], list[Finding]] = {}
    for one in seen.findings:
        alike.setdefault((one.reason, one.rule, one.field, one.excepted, _in_path(one)), []).append(one)
    for same in alike.values():
        first = same[0]
        line = Text.assemble(("found     ", "dim"), (first.reason, COLOURS.get(first.tier, "")))
        if first.rule:
            rule = rules.get(first.rule)
            line.append(f", rule {first.rule}").append(f" ({rule.title})" if rule else "")
        line.append(
            f": {first.field} {shown(first.found)}" if first.field and first.found else f": {first.text}"
        )
        if _in_path(first) and seen.readings:
            places = ", ".join(f"{one.reading} at {one.offset}" for one in same)
            line.append(f"   [{'readings' if len(same) > 1 else 'reading'} {places}]", "dim")
        elif first.tier == "malformed":
            line.append(f"   [byte {first.offset} of the head]", "dim")
        if (first.action, first.mode) not in (("block", "block"), ("block", seen.mode)):
            line.append(f"   {first.action}, mode {first.mode}", "dim")
        if first.counted:
            line.append("   counted: refused only above the rate", "green")
        if first.excepted is not None:
            known = first.excepted < len(exceptions)
            line.append(f"   excepted: {exceptions[first.excepted]}" if known else "   excepted", "green")
        yield line


def _verdict(seen: Explanation, rules: Mapping[str, Rule]) -> Iterator[Text]:
    if seen.verdict is None:
        yield Text.assemble(("verdict   ", "dim"), ("passes", "bold green"))
        return
    sentences = {name: (iis, text) for name, _, _, iis, text in _core.reasons()}
    iis, sentence = sentences.get(seen.verdict.reason, ("", ""))
    tier = seen.verdict.tier
    status = f"{seen.verdict.status}" + (f" (IIS {iis})" if iis else "")
    fate = VERDICTS[seen.verdict.action].format(status=status)
    yield Text.assemble(
        ("verdict   ", "dim"),
        (f"{fate}: {seen.verdict.reason}", COLOURS.get(tier, "")),
        f", {tier}",
    )
    yield Text.assemble(("why       ", "dim"), sentence)
    if rule := rules.get(seen.verdict.rule or ""):
        yield Text.assemble(("rule      ", "dim"), f"{rule.id}: {rule.title}")
        if rule.why:
            yield Text.assemble(("          ", "dim"), rule.why)
        if rule.refs:
            yield Text.assemble(("refs      ", "dim"), ", ".join(rule.refs))
    mode = seen.verdict.mode
    if tier == "malformed" and seen.mode != "block":
        yield Text.assemble(("mode      ", "dim"), f"the site is in {seen.mode} mode: it is refused even so")
    elif seen.verdict.action == "detect":
        yield Text.assemble(("mode      ", "dim"), "the rule only ever detects")
    elif mode in MODES:
        where = "the site" if mode == seen.mode else "this rule or reason"
        yield Text.assemble(("mode      ", "dim"), f"{where} is in {mode} mode: {MODES[mode]}")
    elif mode != seen.mode:
        yield Text.assemble(
            ("mode      ", "dim"), f"this rule or reason is in {mode} mode on a site that does not block"
        )


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
