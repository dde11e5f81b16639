"""Is only what holds handed over, and do counters keep their owners over reloads?"""

import subprocess
from pathlib import Path

import pytest

from stopgap import config
from stopgap.config import Config
from stopgap.errors import InputError
from stopgap.gate.handover import Counters, prepare, unchangeable
from stopgap.ruleset.spec import Registry

BROKEN = """
title = "broken"
[[rule]]
id = "broken"
title = "Says that it catches what it does not"
why = "For a test."
refs = ["MS01-033"]
match = { extension = "ida" }
block = ['GET /x.txt HTTP/1.0']
pass = ['GET / HTTP/1.0']
"""


def read(**flags: object) -> Config:
    return config.load(None, {"origins": ["http://192.0.2.1"], "listen": "127.0.0.1:0", "packs": [], **flags})


def counters() -> Counters:
    return Counters(registry=Registry(), origins={})


def test_the_message_holds_what_a_worker_needs() -> None:
    made = prepare(lambda: read(origins=["http://192.0.2.1:81", "http://192.0.2.2"]), counters())
    (site,) = made.activate.sites
    assert site.origins == ("http://192.0.2.1:81", "http://192.0.2.2:80")
    assert site.counters == (0, 1)
    assert site.connect == made.config.sites[0].deadlines["connect"]
    assert made.drain == made.config.sites[0].deadlines["drain"]
    assert made.known().modes == {"default": "block"}


def test_counters_stay_over_reloads() -> None:
    kept = counters()
    prepare(lambda: read(origins=["http://192.0.2.1"]), kept)
    made = prepare(lambda: read(origins=["http://192.0.2.9", "http://192.0.2.1"]), kept)
    assert made.activate.sites[0].counters == (1, 0)
    assert kept.registry.sites == {"default": 0}


def test_a_vector_that_does_not_hold_is_told_with_file_rule_and_line(tmp_path: Path) -> None:
    pack = tmp_path / "broken.toml"
    pack.write_text(BROKEN, "utf-8")
    with pytest.raises(InputError) as told:
        prepare(lambda: read(rules=[str(pack)]), counters())
    assert f'{pack}:9: rule "broken": block' in str(told.value)


def test_a_key_that_is_not_the_certificates(tmp_path: Path) -> None:
    for name in ("a", "b"):
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x"]
        files = ["-keyout", str(tmp_path / f"{name}.key"), "-out", str(tmp_path / f"{name}.pem")]
        subprocess.run([*command, *files], check=True, capture_output=True)
    tls = {"cert": str(tmp_path / "a.pem"), "key": str(tmp_path / "b.key")}
    with pytest.raises(InputError, match=r"b\.key: is not the key of the certificate"):
        prepare(lambda: read(tls=tls), counters())
    right = {**tls, "key": str(tmp_path / "a.key")}
    made = prepare(lambda: read(tls=right), counters())
    assert made.activate.settings.tls is not None
    assert made.activate.settings.tls.key == right["key"]


def test_what_only_a_restart_can_change() -> None:
    old = read()
    assert unchangeable(old, read(mode="detect")) == []
    (line,) = unchangeable(old, read(listen="127.0.0.1:81"))
    assert line.endswith("listen: was 127.0.0.1:0, is now 127.0.0.1:81: needs a restart")
    assert len(unchangeable(old, read(admin="off", log="/tmp/x", workers=99))) == 3
