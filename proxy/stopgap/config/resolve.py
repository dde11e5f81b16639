"""stopgap.toml and command-line flags -> one frozen `Config`: what is served, from where, how strictly?

Flags alone make one site; flags beside a file are laid over it. Whatever is wrong is told as one line that
names the file and line (or the flag), the key, and what would be right.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from msgspec import UNSET

from stopgap import _core
from stopgap.config import checks
from stopgap.config.checks import At
from stopgap.config.model import (
    CHOICES,
    DOUBLE_BYTE,
    SHAPES,
    Config,
    ExceptionText,
    FileText,
    Site,
    SiteException,
    SiteText,
)
from stopgap.errors import ConfigError
from stopgap.tomlfile import Document, convert, parse, read


def load(file: str | None = None, flags: Mapping[str, Any] | None = None) -> Config:
    """Read a file, or make a configuration of flags alone, or lay flags over a file.

    `flags` holds what was given on the command line, by the key of the file: listen, admin, workers, tls, log
    (top level), origins, server, codepage, mode, packs, rules (laid over every site). Raises `InputError`.
    """
    given = dict(flags or {})
    document = read(file) if file else parse("", b"")
    top = {
        key: given.pop(key)
        for key in list(given)
        if key in ("listen", "admin", "workers", "tls", "log", "trusted")
    }
    if not file:
        if not given.get("origins"):
            raise ConfigError(
                "--origin: is missing; give the server to protect, such as --origin http://192.0.2.10"
            )
        return _config({**top, "site": [{"name": "default", **given}]}, document)
    if not document.data:
        raise ConfigError(f"{file}: is empty; it needs at least one [[site]] with name and origins")
    flag = At(parse("", b""))
    sites = document.data.get("site")
    if given.get("origins") and isinstance(sites, list) and len(sites) > 1:
        raise (flag / "origins").wrong(f"{file} has {len(sites)} sites; change the origins there")
    _config({**top, "site": [{"name": "flags", "origins": "http://flags", **given}]}, flag.document)
    if isinstance(sites, list):
        sites = [{**site, **given} if isinstance(site, dict) else site for site in sites]
        top["site"] = sites
    return _config({**document.data, **top}, document)


def _config(data: dict[str, Any], document: Document) -> Config:
    at = At(document)
    text = convert(data, FileText, document, (), SHAPES)
    if not text.site:
        raise (at / "site").wrong("is empty; write at least one [[site]] with name and origins")
    sites = tuple(_site(raw, at / "site" / index, index) for index, raw in enumerate(data["site"]))
    _unique(sites, at)
    cores = len(os.sched_getaffinity(0))
    workers = cores if text.workers is UNSET else text.workers
    if not 1 <= workers <= 256:
        raise (at / "workers").wrong(f"must be between 1 and 256, not {workers}")
    listen = tuple(checks.address(one, at / "listen") for one in checks.listed(text.listen))
    if not listen:
        raise (at / "listen").wrong('is empty; write an address, such as "0.0.0.0:80"')
    admin = None if text.admin == "off" else checks.address(text.admin, at / "admin")
    return Config(
        sites=sites,
        listen=listen,
        admin=admin,
        workers=workers,
        trusted=tuple(checks.network(one, at / "trusted") for one in checks.listed(text.trusted)),
        tls=checks.tls(text.tls, at / "tls") if text.tls else None,
        log=text.log,
        document=document,
    )


def _site(raw: dict[str, Any], at: At, index: int) -> Site:
    text = convert(raw, SiteText, at.document, at.path, {"": SiteText, "exception": ExceptionText}, "site.")
    if not text.name.strip() or len(text.name) > 64 or not text.name.isprintable():
        raise (at / "name").wrong("must be a printable name of 1 to 64 characters")
    if text.server not in _core.servers():
        known = ", ".join(_core.servers())
        raise (at / "server").wrong(f'no server table is called "{text.server}"; known: {known}')
    for key, choices in CHOICES.items():
        value = getattr(text, key)
        if value is not None and value not in choices:
            raise (at / key).wrong(f'"{value}" is unknown; choose one of {", ".join(choices)}')
    pages = checks.codepages(text.codepage, at / "codepage")
    only_double = all(page in DOUBLE_BYTE for page in pages)
    folder = Path(at.document.file).parent if at.document.file else Path()
    return Site(
        name=text.name,
        hosts=tuple(checks.host(one, at / "hosts") for one in checks.listed(text.hosts)),
        origins=checks.origins(checks.listed(text.origins), at / "origins"),
        server=text.server,
        codepages=pages,
        mode=text.mode,
        packs=None if text.packs is None else tuple(text.packs),
        rules=tuple(str(folder / one) for one in checks.listed(text.rules)),
        body=text.body or ("buffer" if _core.buffers_body(text.server) else "stream"),
        raw_bytes=text.raw_bytes or ("query" if only_double else "refuse"),
        upgrade=tuple(checks.protocol(one, at / "upgrade") for one in checks.listed(text.upgrade)),
        limits=checks.limits(text.limits, text.server, at / "limits"),
        deadlines=checks.deadlines(text.deadlines, at / "deadlines"),
        exceptions=tuple(_exception(one, at / "exception" / n) for n, one in enumerate(text.exception)),
    )


def _exception(text: ExceptionText, at: At) -> SiteException:
    if not text.reason.strip():
        raise (at / "reason").wrong("is empty; say why this exception is needed")
    if text.path is not None and not text.path.startswith(("/", "**")):
        raise (at / "path").wrong(
            f'"{text.path}" must start with "/"; `*` matches within a segment, `**` across'
        )
    return SiteException(
        rule=text.rule,
        reason=text.reason,
        path=text.path,
        clients=tuple(checks.network(one, at / "clients") for one in checks.listed(text.clients)),
        compat=text.compat,
        owner=text.owner,
        until=text.until,
    )


def _unique(sites: Sequence[Site], at: At) -> None:
    """No two sites with one name or one host."""
    names: dict[str, str] = {}
    hosts: dict[str, str] = {}
    for index, site in enumerate(sites):
        here = at / "site" / index
        if site.name in names:
            raise (here / "name").wrong(f'two sites are called "{site.name}"; give each its own name')
        names[site.name] = site.name
        if not site.hosts:
            raise (here / "hosts").wrong('is empty; name the hosts, or "*" for all')
        for host in site.hosts:
            if host in hosts:
                raise (here / "hosts").wrong(f'"{host}" already belongs to site "{hosts[host]}"')
            hosts[host] = site.name
