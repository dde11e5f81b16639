"""stopgap.toml and command-line flags -> one frozen `Config`: what is served, from where, how strictly?

Flags alone make one site; flags beside a file are laid over it. Whatever is wrong is told as one line that
names the file and line (or the flag), the key, and what would be right.
"""

import hashlib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import UNSET

from stopgap import _core
from stopgap.config import access, checks, evidence, identity, log, origins, preset, sticky, tls
from stopgap.config.checks import At
from stopgap.config.model import (
    CHOICES,
    DOUBLE_BYTE,
    SHAPES,
    Config,
    EvidenceText,
    ExceptionText,
    FileText,
    HealthText,
    OriginTlsText,
    Scrub,
    Site,
    SiteException,
    SiteText,
    StickyText,
)
from stopgap.errors import ConfigError
from stopgap.tomlfile import Document, convert, parse, read

MOST_CONNECTIONS = 1_000_000
"""The highest number of connections that may be allowed: what the table of rates counts to."""
TOP = frozenset({"listen", "admin", "admin_token_file", "workers", "tls", "log", "trusted", "user", "group"})
"""Keys of the top level that are flags too."""


def load(file: str | None = None, flags: Mapping[str, Any] | None = None) -> Config:
    """Read a file, or make a configuration of flags alone, or lay flags over a file.

    `flags` holds what was given on the command line, by the key of the file: those of `TOP`
    (top level), origins, preset, strict, server, codepage, mode, packs, rules (laid over every site).
    Raises `InputError`.
    """
    given = dict(flags or {})
    document = read(file) if file else parse("", b"")
    top = {key: given.pop(key) for key in list(given) if key in TOP}
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
    if isinstance(document.data.get("tls"), dict) and "tls" in top:
        top["tls"] = {**document.data["tls"], **top["tls"]}
    return _config({**document.data, **top}, document)


def _config(data: dict[str, Any], document: Document) -> Config:
    at = At(document)
    text = convert(data, FileText, document, (), SHAPES)
    if not text.site:
        raise (at / "site").wrong("is empty; write at least one [[site]] with name and origins")
    cores = len(os.sched_getaffinity(0))
    workers = cores if text.workers is UNSET else text.workers
    if not 1 <= workers <= 256:
        raise (at / "workers").wrong(f"must be between 1 and 256, not {workers}")
    secure = text.tls is not None
    sites = tuple(_site(raw, at / "site" / index, workers, secure) for index, raw in enumerate(data["site"]))
    _unique(sites, at)
    for key in ("new_connections", "client_connections", "max_connections"):
        if not 0 <= (number := getattr(text, key)) <= MOST_CONNECTIONS:
            raise (at / key).wrong(f"must be between 0 (any number) and {MOST_CONNECTIONS}, not {number}")
    listen = tuple(checks.address(one, at / "listen") for one in checks.listed(text.listen))
    if not listen:
        raise (at / "listen").wrong('is empty; write an address, such as "0.0.0.0:80"')
    admin, token_file = access.opened(text.admin, text.admin_token_file, at)
    return Config(
        sites=sites,
        listen=listen,
        admin=admin,
        workers=workers,
        trusted=checks.networks(text.trusted, at / "trusted"),
        tls=tls.listening(text.tls, at / "tls") if text.tls else None,
        log=text.log,
        document=document,
        telling=log.telling(text, at),
        state=_state(text.state, document),
        new_connections=text.new_connections,
        client_connections=text.client_connections,
        max_connections=text.max_connections,
        proxy_protocol=checks.networks(text.proxy_protocol, at / "proxy_protocol"),
        admin_token_file=token_file,
        identity=identity.found(text.user, text.group, at),
    )


def _state(written: str | None, document: Document) -> str:
    """The state folder: as written, else the one that systemd has made (StateDirectory=), else none."""
    if written is None:
        return os.environ.get("STATE_DIRECTORY", "").partition(":")[0]
    return str(Path(document.file).parent / written) if written else ""


def _site(own: dict[str, Any], at: At, workers: int, secure: bool) -> Site:
    """`secure`: clients come over TLS."""
    under = preset.found(own.get("preset"), at / "preset")
    raw = preset.laid(under, own)
    text = convert(
        raw,
        SiteText,
        at.document,
        at.path,
        {
            "": SiteText,
            "exception": ExceptionText,
            "scrub": Scrub,
            "origin_tls": OriginTlsText,
            "health": HealthText,
            "sticky": StickyText,
            "evidence": EvidenceText,
        },
        "site.",
    )
    if not text.name.strip() or len(text.name) > 64 or not text.name.isprintable():
        raise (at / "name").wrong("must be a printable name of 1 to 64 characters")
    if text.server not in _core.servers():
        known = ", ".join(_core.servers())
        raise (at / "server").wrong(f'no server table is called "{text.server}"; known: {known}')
    for key in CHOICES:
        checks.choice(key, getattr(text, key), at / key)
    pages = checks.codepages(text.codepage, at / "codepage")
    modes = checks.modes(text.modes, at / "modes")
    only_double = all(page in DOUBLE_BYTE for page in pages)
    folder = Path(at.document.file).parent if at.document.file else Path()
    addresses = checks.origins(checks.listed(text.origins), at / "origins")
    places = [(at / "exception" / number, False) for number in range(len(own.get("exception", ())))]
    places += [(under.at / "exception" / number, True) for number in range(len(text.exception) - len(places))]
    return Site(
        name=text.name,
        hosts=tuple(checks.host(one, at / "hosts") for one in checks.listed(text.hosts)),
        origins=addresses,
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
        exceptions=tuple(
            _exception(one, text.name, *place) for one, place in zip(text.exception, places, strict=True)
        ),
        preset=text.preset or "",
        strict=text.strict,
        canary=checks.canary(text.canary, (text.mode, *modes.values()), at / "canary"),
        modes=modes,
        methods=checks.methods(text.methods, at / "methods"),
        on_error=text.on_error,
        scrub=text.scrub,
        hsts=tls.hsts(text.hsts, secure, at / "hsts"),
        origin_tls=tls.origin(text.origin_tls, addresses, at / "origin_tls"),
        connections=origins.connections(text.connections, text.server, workers, at / "connections"),
        health=origins.health(text.health, addresses, at / "health"),
        sticky=sticky.kept(text.sticky, text.name, addresses, at / "sticky") if text.sticky else None,
        evidence=evidence.keeping(text.evidence, at / "evidence") if text.evidence else None,
    )


def _exception(text: ExceptionText, site: str, at: At, preset: bool) -> SiteException:
    if not text.reason.strip():
        raise (at / "reason").wrong("is empty; say why this exception is needed")
    if text.path is not None and not text.path.startswith(("/", "**")):
        raise (at / "path").wrong(
            f'"{text.path}" must start with "/"; `*` matches within a segment, `**` across'
        )
    clients = tuple(checks.network(one, at / "clients") for one in checks.listed(text.clients))
    fields = tuple(checks.field(one, at / "fields") for one in checks.listed(text.fields))
    named = msgspec.json.encode([site, text.rule, text.path, sorted(clients), sorted(fields)])
    return SiteException(
        rule=text.rule,
        reason=text.reason,
        path=text.path,
        clients=clients,
        compat=text.compat,
        owner=text.owner,
        until=text.until,
        fields=fields,
        id=hashlib.sha256(named).hexdigest()[:8],
        where=at.document.where(at.path),
        preset=preset,
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
