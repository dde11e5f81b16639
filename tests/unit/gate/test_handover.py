"""Is only what holds handed over, and do counters keep their owners over reloads?"""

import datetime
import subprocess
from pathlib import Path

import pytest

from stopgap import config
from stopgap.config import Config
from stopgap.errors import InputError
from stopgap.gate.handover import Counters, prepare, renewed, unchangeable
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


TODAY = datetime.date(2026, 11, 24)


def read(**flags: object) -> Config:
    return config.load(None, {"origins": ["http://192.0.2.1"], "listen": "127.0.0.1:0", "packs": [], **flags})


def counters() -> Counters:
    return Counters(registry=Registry(), origins={})


def test_the_message_holds_what_a_worker_needs() -> None:
    made = prepare(lambda: read(origins=["http://192.0.2.1:81", "http://192.0.2.2"]), counters(), TODAY)
    (site,) = made.activate.sites
    assert site.origins == ("http://192.0.2.1:81", "http://192.0.2.2:80")
    assert site.counters == (0, 1)
    assert site.connect == made.config.sites[0].deadlines["connect"]
    assert made.drain == made.config.sites[0].deadlines["drain"]


def test_counters_stay_over_reloads() -> None:
    kept = counters()
    prepare(lambda: read(origins=["http://192.0.2.1"]), kept, TODAY)
    made = prepare(lambda: read(origins=["http://192.0.2.9", "http://192.0.2.1"]), kept, TODAY)
    assert made.activate.sites[0].counters == (1, 0)
    assert kept.registry.sites == {"default": 0}


def test_a_vector_that_does_not_hold_is_told_with_file_rule_and_line(tmp_path: Path) -> None:
    pack = tmp_path / "broken.toml"
    pack.write_text(BROKEN, "utf-8")
    with pytest.raises(InputError) as told:
        prepare(lambda: read(rules=[str(pack)]), counters(), TODAY)
    assert f'{pack}:9: rule "broken": block' in str(told.value)


def test_a_key_that_is_not_the_certificates(tmp_path: Path) -> None:
    for name in ("a", "b"):
        command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=x"]
        files = ["-keyout", str(tmp_path / f"{name}.key"), "-out", str(tmp_path / f"{name}.pem")]
        subprocess.run([*command, *files], check=True, capture_output=True)
    tls = {"cert": str(tmp_path / "a.pem"), "key": str(tmp_path / "b.key")}
    with pytest.raises(InputError, match=r"b\.key: is not the key of the certificate"):
        prepare(lambda: read(tls=tls), counters(), TODAY)
    right = {**tls, "key": str(tmp_path / "a.key")}
    made = prepare(lambda: read(tls=right), counters(), TODAY)
    assert made.activate.settings.tls is not None
    assert [one.key for one in made.activate.settings.tls.certificates] == [right["key"]]


def test_a_log_that_rotates_needs_its_folder(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    site = '[[site]]\nname = "s"\norigins = "http://192.0.2.1"\npacks = []\n'
    file.write_text(f'log = "{tmp_path}/none/log"\nlog_rotate = {{ keep = 2 }}\n{site}', "utf-8")
    with pytest.raises(InputError, match=r"stopgap.toml:2: log_rotate: .*none: is no folder; make it"):
        prepare(lambda: config.load(str(file)), counters(), TODAY)
    (tmp_path / "none").mkdir()
    assert prepare(lambda: config.load(str(file)), counters(), TODAY).known().masked is False


def test_what_only_a_restart_can_change() -> None:
    old = read()
    assert unchangeable(old, read(mode="detect")) == []
    (line,) = unchangeable(old, read(listen="127.0.0.1:81"))
    assert line.endswith("listen: was 127.0.0.1:0, is now 127.0.0.1:81: needs a restart")
    assert len(unchangeable(old, read(admin="off", log="/tmp/x", workers=99))) == 3
    secure = {"cert": __file__, "key": __file__}
    (line,) = unchangeable(read(tls=secure), read(tls={**secure, "redirect": ":80"}))
    assert line.endswith("tls.redirect: was none, is now 0.0.0.0:80 to port of listen: needs a restart")
    assert unchangeable(read(tls=secure), read(tls={**secure, "minimum": "1.3"})) == []


EXCEPTED = """
[[site]]
name = "a"
origins = "http://192.0.2.1"
[[site.exception]]
rule = "ida-idq"
path = "/search/*.idq"
reason = "search"
until = 2026-11-24
"""


def test_another_day_ends_exceptions_without_a_file(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text(EXCEPTED, "utf-8")
    kept = counters()
    made = prepare(lambda: config.load(str(file)), kept, TODAY)
    file.unlink()
    assert renewed(made, kept, TODAY) == made
    later = renewed(made, kept, TODAY + datetime.timedelta(days=1))
    assert later.activate.version != made.activate.version
    assert (made.warnings, len(later.warnings)) == ((), 1)
    assert later.day == TODAY + datetime.timedelta(days=1)
    assert (later.config, later.activate.sites) == (made.config, made.activate.sites)


def test_modes_that_differ_are_known() -> None:
    made = prepare(lambda: read(mode="detect", modes={"short-name": "block"}), counters(), TODAY)
    assert made.modes == {"default": {"short-name": "block"}}


def test_the_state_folder_needs_a_restart(tmp_path: Path) -> None:
    def at(state: str) -> Config:
        file = tmp_path / "stopgap.toml"
        file.write_text(f'state = "{state}"\n[[site]]\nname = "a"\norigins = "http://h"\n', "utf-8")
        return config.load(str(file))

    (line,) = unchangeable(at(""), at("kept"))
    assert line.endswith(f"state: was none, is now {tmp_path}/kept: needs a restart")


def test_what_was_read_is_kept(tmp_path: Path) -> None:
    file = tmp_path / "stopgap.toml"
    file.write_text(EXCEPTED, "utf-8")
    made = prepare(lambda: config.load(str(file)), counters(), TODAY)
    assert made.texts[str(file)] == EXCEPTED.encode()
