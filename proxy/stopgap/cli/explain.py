"""`stopgap explain`: how would one request be read and judged, and why?

The request is a request line, a URL, or with `-` a raw request on standard input. Exit codes: 0 it
passes, 1 it is refused, 2 the flags or the files are wrong.
"""

import sys
from typing import Any
from urllib.parse import quote, urlsplit

import click

from stopgap import config
from stopgap.cli.terminal import FINDINGS, console, wrong_input
from stopgap.errors import ConfigError, InputError, nearest
from stopgap.ruleset import load, spec, vectors
from stopgap.ruleset.explain import read as read_explanation
from stopgap.ruleset.explain import render

LARGEST = 64 * 1024 * 1024
_KEPT = "".join(chr(code) for code in range(0x21, 0x7F))


@click.command("explain", short_help="Show every reading of a request, what matched, and the verdict.")
@click.argument("request_text", metavar="REQUEST")
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
@click.option("--mode", metavar="MODE", help="block or detect.")
@click.option("--json", "as_json", is_flag=True, help="Print the explanation as JSON.")
def explain(
    request_text: str,
    file: str | None,
    site: str | None,
    server: str | None,
    codepage: tuple[int, ...],
    mode: str | None,
    as_json: bool,
) -> None:
    """Show every reading of REQUEST, what matched where, and the verdict.

    REQUEST is a request line such as 'GET /x.ida HTTP/1.0', a URL, a path, or "-" for a raw request on
    standard input. In a request line {N*224} repeats and \\xHH is a raw byte, as in the vectors of the rules.
    """
    flags: dict[str, Any] = {"server": server, "codepage": list(codepage) or None, "mode": mode}
    if not file:
        flags["origins"] = ["http://127.0.0.1"]
    try:
        raw, named = _request(request_text)
        read = config.load(file, {key: value for key, value in flags.items() if value is not None})
        ruleset = load.load(read)
        specification = spec.build(read, ruleset, spec.Registry())
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
