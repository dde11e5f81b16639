"""`stopgap explain`: how would one request be read and judged, and why?

The request is a request line, a URL, or with `-` a raw request on standard input; that of an event, see
`stopgap.cli.event`; or that of a line of a log. Exit codes: 0 it passes, 1 it is refused, 2 the flags or the
files are wrong.
"""

import os
import sys
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit

import click

from stopgap import config
from stopgap.cli import evidence
from stopgap.cli.configuration import config_option
from stopgap.cli.event import Wanted, explain_event
from stopgap.cli.judged import View, other_sides, show
from stopgap.cli.terminal import FINDINGS, wrong_input
from stopgap.errors import ConfigError, InputError, nearest
from stopgap.events.schema import Event
from stopgap.forensics import line as lines
from stopgap.forensics.request import Told
from stopgap.ruleset import vectors

LARGEST = 64 * 1024 * 1024
_KEPT = "".join(chr(code) for code in range(0x21, 0x7F))


@click.command("explain", short_help="Show every reading of a request, what matched, and the verdict.")
@click.argument("request_text", metavar="[REQUEST]", required=False)
@config_option("Judge as this configuration does.")
@click.option("--site", metavar="NAME", help="The site that judges; the default follows from the Host.")
@click.option(
    "--server", metavar="TABLE", help="The server behind: iis4 iis5 iis5.1 iis6 iis7 iis8 iis10 any."
)
@click.option(
    "--codepage", type=int, multiple=True, metavar="N", help="A code page of the server; may be repeated."
)
@click.option("--preset", metavar="NAME", help="Judge as a site with this preset does.")
@click.option("--mode", metavar="MODE", help="block, canary or detect.")
@click.option(
    "--also",
    multiple=True,
    metavar="TABLE|FILE|VERSION",
    help="Say too what a server table (all: each of them), a pack or a configuration would do; repeatable.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
@click.option(
    "--line",
    metavar="FILE:N|TEXT",
    help="Explain the request of a line of a log: of FILE, the line itself, or - for standard input.",
)
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
    also: tuple[str, ...],
    as_json: bool,
    line: str | None,
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

    With --line it is that of a line of a log: W3C (its #Fields are looked up in FILE), IIS's own format,
    NCSA, or Stopgap's events in any of their formats. FILE:N is how `stopgap replay` names its examples.

    Exceptions that speak of what was found and do not cover it are told, with the condition that failed.

    \b
    Examples:
      stopgap explain 'GET /x.%2569da HTTP/1.0'
      stopgap explain --also all 'GET /x.%2569da HTTP/1.0'
      stopgap explain --line ex010719.log:4 -c stopgap.toml --also stopgap.toml.new
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
        _fitting(request_text, file, line, of_event, flow)
        given = {key: value for key, value in flags.items() if value is not None}
        read = config.load(file, given)
        view = View(
            config=read,
            also=also,
            as_json=as_json,
            table=lambda table: config.load(file, {**given, "server": table}),
            side=other_sides(of_event["admin"], file),
        )
        found = None if line is None else _of_line(line, read)
        if isinstance(found, Event) or (of_event["event"] is not None and flow is None):
            event = found if isinstance(found, Event) else None
            raise SystemExit(explain_event(Wanted(**of_event, told=event), view))
        client = found.client.decode("latin-1") if found else ""
        if flow is not None:
            one = evidence.chosen(flow, of_event["event"])
            raw, named, site = one.request, True, site or evidence.site_of(one, read)
        else:
            raw, named = found[:2] if found else _request(request_text or "")
        seen, _ = show(view, _site(read, site, named), raw, client)
    except InputError as error:
        wrong_input(error)
    raise SystemExit(FINDINGS if seen.verdict else 0)


def _of_line(text: str, read: config.Config) -> Told | Event:
    """What --line stands for. Raises `InputError`."""
    plain = [host for host in read.sites[0].hosts if not host.startswith("*")]
    host = (plain[0] if plain else vectors.HOST).encode()
    if text == "-":
        raw = sys.stdin.buffer.read(LARGEST + 1)
        if len(raw) > LARGEST:
            raise ConfigError(f"standard input: holds more than {LARGEST} bytes")
        return lines.of_text(raw, host)
    return lines.at(text, host) or lines.of_text(os.fsencode(text), host)


def _fitting(
    request: str | None, file: str | None, line: str | None, of_event: Mapping[str, Any], flow: str | None
) -> None:
    """Raise `ConfigError` for flags that do not go together."""
    given = [f"--{'except' if flag == 'propose' else flag}" for flag, value in of_event.items() if value]
    if flow is not None:
        if request is not None or line is not None:
            name = "REQUEST" if line is None else "--line"
            raise ConfigError(f"{name}: give either {name} or --flow")
        given = [flag for flag in given if flag != "--event"]
        if wrong := [flag for flag in given if flag != "--admin"]:
            raise ConfigError(f"{wrong[0]}: does not go with --flow")
        return
    asked = [name for name in (request, of_event["event"], line) if name is not None]
    if len(asked) != 1:
        what = "give it, --event or --line, only one" if asked else "is missing; give it, --event or --line"
        raise ConfigError(f"REQUEST: {what}")
    if request and (wrong := [flag for flag in given if flag != "--admin"]):
        raise ConfigError(f"{wrong[0]}: goes with --event only")
    if line and (of_event["log"] or of_event["event"]):
        raise ConfigError("--log: goes with --event only")
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
