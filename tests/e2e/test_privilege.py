"""Does a gate that root starts keep nothing of root, and write nowhere but where it is told to?

Looked at from outside: what the kernel says of its processes (/proc/PID/status), which files it has opened
for writing (strace), and whether it lives under the filters of the systemd unit.
"""

import os
import random
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from tests.e2e.certificates import self_signed
from tests.e2e.client import Client, ask, get, post
from tests.e2e.gate import ENVIRONMENT, PROGRAM, Gate, guarding, written
from tests.e2e.load import Load
from tests.e2e.origins import Origin, until
from tests.e2e.unprivileged import NOBODY, NOGROUP, REACHABLE, ROOT, room

LARGE = random.Random(0).randbytes(1 << 20)


def told(pid: int) -> dict[str, list[str]]:
    """What /proc/PID/status says."""
    lines = Path(f"/proc/{pid}/status").read_text("ascii").splitlines()
    return {name: value.split() for name, _, value in (line.partition(":") for line in lines)}


def assert_harmless(pid: int) -> None:
    """It is nobody in every respect, and can become nothing else."""
    status = told(pid)
    assert status["Uid"] == [str(NOBODY)] * 4
    assert status["Gid"] == [str(NOGROUP)] * 4
    assert status["Groups"] == [str(NOGROUP)]
    assert status["NoNewPrivs"] == ["1"]
    assert [int(status[name][0], 16) for name in ("CapInh", "CapPrm", "CapEff", "CapAmb")] == [0] * 4


def processes(gate: Gate) -> list[int]:
    return [gate.process.pid, *(worker["pid"] for worker in gate.status["workers"])]


def low_port() -> int:
    """A free port that only root may bind."""
    while True:
        port = random.randrange(300, 1000)
        with socket.socket() as sock, suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


@contextmanager
def dropping(folder: Path, config: str, *flags: str) -> Iterator[Gate]:
    """A gate of root's that is to become nobody."""
    gate = Gate(folder, "--config", config, *flags, before=REACHABLE)
    try:
        gate.wait()
        yield gate
        gate.signal(signal.SIGINT)
        assert gate.ended() == 0, gate.said
        assert "internal error" not in gate.said and "Traceback" not in gate.said, gate.said
    finally:
        if gate.process.poll() is None:
            gate.process.kill()
            gate.process.wait()


def reloaded(gate: Gate, times: int) -> bool:
    """Whether the gate has told of so many reloads."""
    return gate.said.count("reloaded") >= times


def test_root_is_left_when_the_ports_are_bound(origin: Origin) -> None:
    """A low port, requests, a worker's death, a reload and a rotation: nobody in all of it, and 0 failed."""
    if not ROOT:
        return
    with room(NOBODY) as mine, room() as base:
        site = {"origins": origin.url, "packs": ["code-red"]}
        config = written(
            base,
            site,
            listen=f"127.0.0.1:{low_port()}",
            admin="127.0.0.1:0",
            workers=2,
            user="nobody",
            log=str(mine / "log"),
            state=str(mine / "state"),
        )
        with dropping(base, config) as gate:
            assert gate.port < 1024
            for pid in processes(gate):
                assert_harmless(pid)
            assert "warning" not in gate.said
            with Load(gate.port, 4) as load:
                until(lambda: load.answered > 50)
                assert gate.admins("/reload", "POST")[0] == 200
                (mine / "log").rename(mine / "log.1")
                gate.signal(signal.SIGUSR1)
                until(lambda: (mine / "log").exists())
                at = load.answered
                until(lambda: load.answered > at + 50)
            assert (load.wrong, load.broken) == ([], [])
            victim = processes(gate)[1]
            os.kill(victim, signal.SIGKILL)
            until(lambda: victim not in processes(gate) and None not in processes(gate))
            until(lambda: all(worker["state"] == "serving" for worker in gate.status["workers"]))
            for pid in processes(gate):
                assert_harmless(pid)
            assert ask(gate.port, post("/up", LARGE)).body == b"POST /up %d" % len(LARGE)
            refused = ask(gate.port, get("/x.ida")).event
            until(lambda: refused in (mine / "log").read_text())
        assert {path.stat().st_uid for path in mine.rglob("*")} == {NOBODY}


def test_what_is_read_at_a_reload_must_be_open_to_the_user(origin: Origin) -> None:
    """A key for root alone ends the start with a word; one for the group is taken anew by a reload."""
    if not ROOT:
        return
    with room() as base:
        cert, key = self_signed(base)
        config = written(
            base,
            {"origins": origin.url, "packs": []},
            listen="127.0.0.1:0",
            admin=str(base / "admin.sock"),
            workers=1,
            user="nobody",
            group="nogroup",
            tls={"cert": cert, "key": key},
        )
        os.chmod(key, 0o600)
        done = subprocess.run(
            [*REACHABLE, PROGRAM, "serve", "--config", config],
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            timeout=60,
            check=False,
        )
        assert done.returncode == 2
        assert f"{key}: cannot be read: Permission denied" in done.stderr
        assert 'read as user "nobody"' in done.stderr
        os.chown(key, 0, NOGROUP)
        os.chmod(key, 0o640)
        with dropping(base, config) as gate:
            door = (base / "admin.sock").stat()
            assert (door.st_gid, door.st_mode & 0o777) == (NOGROUP, 0o660)
            seen = set()
            for _ in range(2):
                trust = ssl.create_default_context(cafile=cert)
                with Client(gate.port, trust) as client:
                    assert client.ask(get("/")).status == 200
                    assert isinstance(client.sock, ssl.SSLSocket)
                    seen.add(client.sock.getpeercert(binary_form=True))
                with room() as fresh:
                    for old, new in zip((cert, key), self_signed(fresh), strict=True):
                        shutil.copyfile(new, old)
                before = gate.said.count("reloaded")
                gate.signal(signal.SIGHUP)
                until(partial(reloaded, gate, before + 1))
            assert len(seen) == 2


def test_root_without_a_user_is_warned(tmp_path: Path, origin: Origin) -> None:
    with guarding(tmp_path, {"origins": origin.url}) as gate:
        until(lambda: not ROOT or "warning: this runs as root; set `user`" in gate.said)
        assert all(told(pid)["NoNewPrivs"] == ["1"] for pid in processes(gate))


def test_others_keep_who_they_are(origin: Origin) -> None:
    """Where the service manager has changed the user already, `user` is ignored, with a word."""
    with room() as base:
        as_daemon = ("setpriv", "--reuid=1", "--regid=1", "--clear-groups") if ROOT else ()
        (base / "gate").mkdir()
        config = written(
            base, {"origins": origin.url, "packs": []}, listen="127.0.0.1:0", user="nobody", workers=1
        )
        gate = Gate(base / "gate", "--config", config, "--admin", "off", before=(*REACHABLE, *as_daemon))
        try:
            gate.wait()
            until(lambda: "warning: user: is ignored: only root can become another user" in gate.said)
            assert told(gate.process.pid)["Uid"] == [str(1 if ROOT else os.geteuid())] * 4
        finally:
            gate.process.kill()
            gate.process.wait()


CALL = re.compile(r"(?P<call>\w+)\((?P<arguments>.*?)(?:\) += (?P<result>-?\d+)| <unfinished)")
FLAGS = ("O_WRONLY", "O_RDWR", "O_CREAT", "O_TRUNC")
CHANGES = (
    "open,openat,mkdir,mkdirat,rename,renameat,renameat2,unlink,unlinkat,rmdir,link,linkat,symlink,symlinkat"
)
CHANGES += ",truncate,chmod,fchmodat,chown,fchownat,lchown,mknod,mknodat,utimensat,utimes"


def changed(trace: Path) -> set[str]:
    """Every path that was opened for writing, made, moved or removed.

    But for Python's cache of a checkout, which is there already where Stopgap is installed.
    """
    found = set()
    for line in trace.read_text("utf-8", "replace").splitlines():
        call = CALL.search(line)
        if call is None or int(call["result"] or 0) < 0 or "__pycache__" in line:
            continue
        if call["call"].startswith("open") and not any(flag in call["arguments"] for flag in FLAGS):
            continue
        found |= set(re.findall(r'"([^"]*)"', call["arguments"]))
    return found


def test_nothing_is_written_but_log_state_and_spool(tmp_path: Path, origin: Origin) -> None:
    """Serve, refuse, hold a large body, reload, roll back, rotate, lose a worker, drain."""
    places = [tmp_path / name for name in ("log", "state", "spool")]
    places[2].mkdir()
    strace = ("strace", "-D", "-f", "-qq", "-o", str(tmp_path / "trace"), "-e", f"trace={CHANGES}")
    top: dict[str, Any] = {"log": str(places[0] / "log"), "state": str(places[1])}
    places[0].mkdir()
    site = {"origins": origin.url, "packs": ["code-red"], "server": "iis5"}
    spool = {"TMPDIR": str(places[2])}
    with guarding(tmp_path, site, before=strace, environment=spool, **top) as gate:
        assert ask(gate.port, get("/x.ida")).status == 404
        assert ask(gate.port, post("/up", LARGE)).body == b"POST /up %d" % len(LARGE)
        assert gate.admins("/reload", "POST")[0] == 200
        config = tmp_path / "stopgap.toml"
        config.write_text(config.read_text().replace("iis5", "iis6"))
        assert gate.admins("/reload", "POST")[0] == 200
        assert gate.admins("/rollback", "POST")[0] == 200
        gate.signal(signal.SIGUSR1)
        os.kill(gate.status["workers"][0]["pid"], signal.SIGKILL)
        assert ask(gate.port, post("/up", LARGE)).status == 200
        gate.signal(signal.SIGTERM)
        assert gate.ended(30) == 0
    paths = changed(tmp_path / "trace")
    inside = {path for path in paths if any(Path(path).is_relative_to(place) for place in places)}
    assert all(any(Path(path).is_relative_to(place) for path in inside) for place in places), paths
    assert paths - inside - {"/dev/null", "/proc/self/oom_score_adj"} == set()


def test_it_lives_under_the_filters_of_the_unit(tmp_path: Path, origin: Origin) -> None:
    """A system call that the unit forbids, or code that can be written, would end the process."""
    sandbox = (sys.executable, "-m", "tests.e2e.sandbox")
    site = {"origins": origin.url, "packs": ["code-red"], "server": "iis5"}
    top: dict[str, Any] = {"log": str(tmp_path / "log"), "state": str(tmp_path / "state")}
    with guarding(tmp_path, site, before=sandbox, workers=2, **top) as gate:
        assert told(gate.process.pid)["Seccomp"] == ["2"]
        with Load(gate.port, 4) as load:
            until(lambda: load.answered > 50)
            assert gate.admins("/reload", "POST")[0] == 200
            gate.signal(signal.SIGUSR1)
            assert ask(gate.port, get("/x.ida")).status == 404
            assert ask(gate.port, post("/up", LARGE)).body == b"POST /up %d" % len(LARGE)
            assert all(told(pid)["Seccomp"] == ["2"] for pid in processes(gate))
            assert gate.counts()["stopgap_workers", "serving"] == 2
        assert (load.wrong, load.broken) == ([], [])
        os.kill(processes(gate)[1], signal.SIGKILL)
        until(lambda: gate.status["workers"][0]["restarts"] == 1)
        until(lambda: [worker["state"] for worker in gate.status["workers"]] == ["serving", "serving"])
        gate.signal(signal.SIGTERM)
        assert gate.ended(30) == 0
