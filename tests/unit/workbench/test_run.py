"""Is the workbench put together so that nothing passes unjudged, and nobody else can look?"""

import resource
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("mitmproxy", reason="mitmproxy needs Python 3.12")

from mitmproxy import exceptions
from mitmproxy.tools.web.master import WebMaster

from stopgap.config import Address
from stopgap.workbench import run
from stopgap.workbench.run import FIXED, Bench, Guard
from tests.unit.workbench.talk import held, judge

BENCH = Bench(
    listen=Address("127.0.0.1", 8082),
    origin=Address("192.0.2.10", 443, tls=True),
    web_port=8081,
    web=True,
    hold="",
    read="",
    keep=10,
    memory=1024,
)


def test_the_options_on_which_verdicts_lean_exist_and_cannot_be_changed() -> None:
    async def test(tctx: Any) -> None:
        master = WebMaster(tctx.options.__class__())
        assert [name for name in FIXED if name not in master.options] == []
        master.options.update(**FIXED)
        master.addons.add(Guard(FIXED))
        changes = {"stream_large_bodies": "1m", "ignore_hosts": ["."], "rawtcp": True, "web_host": "0.0.0.0"}
        for name, value in changes.items():
            with pytest.raises(exceptions.OptionsError, match=f"{name} cannot be changed in the workbench"):
                master.options.update(**{name: value})
            assert getattr(master.options, name) == FIXED[name]
        master.options.update(intercept="~m POST")

    held(test)


def test_the_origin_is_the_only_way_out() -> None:
    chosen = run._options(BENCH, judge(), "/tmp/x")
    assert chosen["mode"] == ["reverse:https://192.0.2.10:443@127.0.0.1:8082"]
    assert chosen["server"] is True
    assert (chosen["ssl_insecure"], chosen["web_host"]) == (False, "127.0.0.1")
    alone = run._options(Bench(**{**_fields(), "origin": None}), judge(), "/tmp/x")
    assert alone["server"] is False


def _fields() -> dict[str, Any]:
    return {name: getattr(BENCH, name) for name in BENCH.__struct_fields__}


def test_memory_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[int, tuple[int, int]]] = []
    monkeypatch.setattr(resource, "setrlimit", lambda which, limits: asked.append((which, limits)))
    monkeypatch.setattr(resource, "getrlimit", lambda which: (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    run.limit_memory(600)
    monkeypatch.setattr(resource, "getrlimit", lambda which: (10**8, 2 * 10**8))
    run.limit_memory(600)
    mebibytes = 600 * 1024 * 1024
    assert asked == [
        (resource.RLIMIT_AS, (mebibytes, resource.RLIM_INFINITY)),
        (resource.RLIMIT_AS, (2 * 10**8, 2 * 10**8)),
    ]


def test_requests_in_progress_have_a_part_of_the_memory() -> None:
    roomy, tight = run.room(30_000_000, 1024), run.room(300_000_000, 768)
    assert (roomy.longest, roomy.together) == (30_000_000 + run.HEAD_ROOM, 64 * run.MEBIBYTE)
    assert (tight.longest, tight.together) == (48 * run.MEBIBYTE, 48 * run.MEBIBYTE)


def test_nothing_of_it_is_kept(tmp_path: Path) -> None:
    assert run._options(BENCH, judge(), str(tmp_path))["confdir"] == str(tmp_path)
