"""`stopgap explain`: how would one request be read and judged, and why?

The request is a request line, a URL, or with `-` a raw request on standard input; or that of an event, see
`stopgap.cli.event`. Exit codes: 0 it passes, 1 it is refused, 2 the flags or the files are wrong.
"""

import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import click

from stopgap import config
from stopgap.cli import evidence
from stopgap.cli.event import Wanted, explain_event
from stopgap.cli.terminal import FINDINGS, console, wrong_input
from stopgap.errors import ConfigError, InputError, nearest
from stopgap.ruleset import load, spec, vectors
from stopgap.ruleset.explain import read as read_explanation
from stopgap.ruleset.explain import render

LARGEST = 64 * 1024 * 1024
_KEPT = "".join(chr(code) for code in range(0x21, 0x7F))


@click.command("explain", short_help="Show every reading of a request, what matched, and the verdict.")
@click.argument("request_text", metavar="[REQUEST]", required=False)
@click.option(
    "--config",
    "-c",
    "file",
    envvar="STOPGAP_CONFIG",
    metavar="FILE",
    help="Judge as this configuration does.",
)
@click.option("--site", metavar="NAME", help="The site that judges; the default follows from the Host.")
@click.option(
    "--server", metavar="TABLE", help="The server behind: iis4 iis5 iis5.1 iis6 iis7 iis8 iis10 any."
)
@click.option(
    "--codepage", type=int, multiple=True, metavar="N", help="A code page of the server; may be repeated."
)
@click.option("--preset", metavar="NAME", help="Judge as a site with this preset does.")
@click.option("--mode", metavar="MODE", help="block, canary or detect.")
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
@click.option("--event", metavar="ID", help="Explain the request of this event: the id on the block page.")
@click.option(
    "--flow",
    metavar="FILE",
    help="Explain the first request of this flow file, or folder of such; with --event that of the event.",
)
@click.option(
    "--log", metavar="FILE", help="Where the event is told; - for standard input. [that of --config]"
)
@click.option(
    "--admin", envvar="STOPGAP_ADMIN", metavar="ADDRESS", help="Of the gate that remembers the event."
)
@click.option("--except", "propose", is_flag=True, help="Propose the narrowest exception that lets it pass.")
@click.option("--reason", metavar="TEXT", help="Of the exception: who needs it, and why.")
@click.option("--owner", metavar="TEXT", help="Of the exception: who answers for it.")
@click.option("--write", is_flag=True, help="Write the exception into the file of --config.")
def explain(
    request_text: str | None,
    file: str | None,
    site: str | None,
    server: str | None,
    codepage: tuple[int, ...],
    preset: str | None,
    mode: str | None,
    as_json: bool,
    flow: str | None,
    **of_event: Any,
) -> None:
    """Show every reading of REQUEST, what matched where, and the verdict.

    REQUEST is a request line such as 'GET /x.ida HTTP/1.0', a URL, a path, or "-" for a raw request on
    standard input. In a request line {N*224} repeats and \\xHH is a raw byte, as in the vectors of the rules.

    With --event the request is that of an event: as it was kept ([site.evidence]), or else as far as an event
    tells it: method, target and host. --flow takes one from a flow file of Stopgap or mitmproxy. With
    --except the narrowest exception is proposed that lets it pass: on its path alone, for one field or in one
    compat mode where that is enough, for 90 days; or the number that a limit needs. --write puts it into the
    configuration, comments kept, if `stopgap check` would accept that.

    \b
    Examples:
      stopgap explain 'GET /x.%2569da HTTP/1.0'
      stopgap explain --event 5f1c2a9be0d34417 -c stopgap.toml
      stopgap explain --flow requests.flow
      stopgap explain --event 5f1c2a9be0d34417 -c stopgap.toml --except \\
          --reason "the search of accounting" --owner sato --write
    """
    flags: dict[str, Any] = {"server": server, "codepage": list(codepage) or None}
    flags |= {"preset": preset, "mode": mode}
    if not file:
        flags["origins"] = ["http://127.0.0.1"]
    try:
        _fitting(request_text, file, of_event, flow)
        read = config.load(file, {key: value for key, value in flags.items() if value is not None})
        if of_event["event"] is not None and flow is None:
            raise SystemExit(explain_event(Wanted(**of_event), read))
        if flow is not None:
            found = evidence.chosen(flow, of_event["event"])
            raw, named, site = found.request, True, site or evidence.site_of(found, read)
        else:
            raw, named = _request(request_text or "")
        ruleset = load.load(read)
        specification = spec.build(read, ruleset)
        policy = spec.compiled(specification)
        index = _site(read, site, named)
    except InputError as error:
        wrong_input(error)
    explained = policy.explain(raw, index)
    seen = read_explanation(explained)
    if as_json:
        click.echo(explained.decode())
    else:
        excepted = specification.excepted.get(seen.site, ())
        console().print(render(seen, {rule.id: rule for rule in ruleset.rules}, excepted), end="")
    raise SystemExit(FINDINGS if seen.verdict else 0)


def _fitting(request: str | None, file: str | None, of_event: Mapping[str, Any], flow: str | None) -> None:
    """Raise `ConfigError` for flags that do not go together."""
    given = [f"--{'except' if flag == 'propose' else flag}" for flag, value in of_event.items() if value]
    if flow is not None:
        if request is not None:
            raise ConfigError("REQUEST: give either REQUEST or --flow")
        given = [flag for flag in given if flag != "--event"]
        if wrong := [flag for flag in given if flag != "--admin"]:
            raise ConfigError(f"{wrong[0]}: does not go with --flow")
        return
    if (request is None) == (of_event["event"] is None):
        what = (
            "give either REQUEST or --event" if request is not None else "is missing; give it, or --event ID"
        )
        raise ConfigError(f"REQUEST: {what}")
    if request and (wrong := [flag for flag in given if flag != "--admin"]):
        raise ConfigError(f"{wrong[0]}: goes with --event only")
    for flag in ("write", "reason", "owner"):
        if of_event[flag] and not of_event["propose"]:
            raise ConfigError(f"--{flag}: goes with --except only")
    if of_event["propose"] and not file:
        raise ConfigError("--except: needs --config FILE, the configuration that is to have the exception")
    for flag in ("reason", "owner"):
        if of_event["write"] and not of_event[flag]:
            raise ConfigError(f"--{flag}: is missing; an exception that is written says why and whose it is")


def _request(text: str) -> tuple[bytes, bool]:
    """The bytes that `text` stands for, and whether they name their host themselves. Raises `ConfigError`."""
    if text == "-":
        raw = sys.stdin.buffer.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise ConfigError(f"standard input: holds more than {LARGEST} bytes")
        return _raw(raw), True
    if text.lower().startswith(("http://", "https://")):
        return _url(text), True
    if "\n" in text or "\r" in text:
        raise ConfigError('REQUEST: holds a line break; give a raw request on standard input, with "-"')
    try:
        return vectors.request(f"GET {text} HTTP/1.1" if text.startswith("/") else text), False
    except ValueError as error:
        raise ConfigError(f"REQUEST: {error}") from None


def _raw(raw: bytes) -> bytes:
    """A request from a file; one saved with LF alone gets CRLF in its head, and the end of the head."""
    if b"\r\n" in raw:
        return raw
    head, gap, body = raw.partition(b"\n\n")
    lines = head.removesuffix(b"\n").replace(b"\n", b"\r\n")
    return lines + b"\r\n\r\n" + (body if gap else b"")


def _url(text: str) -> bytes:
    """The request a browser makes of a URL: what is not ASCII is escaped as UTF-8, the fragment goes."""
    try:
        host = urlsplit(text).netloc.rpartition("@")[2]
    except ValueError:
        raise ConfigError(f"REQUEST: {text!r} is not a URL") from None
    if not host:
        raise ConfigError(f"REQUEST: {text!r} names no host")
    rest = text.split("//", 1)[1].partition("#")[0]
    at = min((rest.find(mark) for mark in "/?" if mark in rest), default=len(rest))
    target = quote(rest[at:], safe=_KEPT)
    target = target if target.startswith("/") else "/" + target
    return f"GET {target} HTTP/1.1\r\nHost: {quote(host, safe=_KEPT)}\r\n\r\n".encode()


def _site(read: config.Config, name: str | None, named: bool) -> int | None:
    """The site to judge by; None leaves the choice to the Host of the request."""
    names = [site.name for site in read.sites]
    if name is None:
        return None if named and read.document.file else 0
    if name not in names:
        raise ConfigError(f'--site: no site is called "{name}"{nearest(name, names)}')
    return names.index(name)
