"""Does a reload that would refuse real users change nothing, and say which of them?"""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.client import ask, get
from tests.e2e.gate import ENVIRONMENT, PROGRAM, Gate, guarding
from tests.e2e.origins import Origin
from tests.e2e.test_replay import NCSA, RULE, W3C


def reload(gate: Gate, folder: Path, *flags: str) -> tuple[int, str, str]:
    done = subprocess.run(
        [PROGRAM, "reload", "--admin", f"127.0.0.1:{gate.admin}", *flags],
        capture_output=True,
        env=ENVIRONMENT,
        check=False,
        timeout=60,
        cwd=folder,
    )
    return done.returncode, done.stdout.decode(), done.stderr.decode()


def test_what_users_sent_holds_a_reload_up(tmp_path: Path, origin: Origin) -> None:
    users = tmp_path / "利用者"
    (users / "web1").mkdir(parents=True)
    (users / "web1" / "ex010719.log").write_bytes(W3C.encode("cp932"))
    (users / "access.log").write_text(NCSA, "utf-8")
    (users / ".hidden").write_bytes(b"\0\1\2")
    site = {"origins": origin.url, "server": "iis5", "codepage": 932, "packs": ["code-red"]}
    with guarding(tmp_path, site) as gate:
        config = tmp_path / "stopgap.toml"
        first = gate.status["ruleset"]
        code, out, err = reload(gate, tmp_path, "--gate", str(users))
        assert (code, err) == (0, ""), out + err
        assert f"{users}: 4 requests, none newly refused, 0 newly passed\nnot shown " in out
        assert f"reloaded: ruleset {first}, " in out

        config.write_text(config.read_text("utf-8") + RULE, "utf-8")
        code, out, err = reload(gate, tmp_path, "--gate", "利用者", "-c", "stopgap.toml")
        assert code == 1, out + err
        assert err == (
            "not reloaded, nothing has changed: "
            "in 利用者 are 2 requests that stopgap.toml would newly refuse\n"
        )
        assert f"active    version {first} of " in out
        assert "newly refused: 2\n  reports: 2\n" in out
        assert "利用者/web1/ex010719.log:4: GET /report/%95%F1%8D%90.asp?y=2001 HTTP/1.1" in out
        assert gate.status["ruleset"] == first
        assert ask(gate.port, get("/report/b.asp")).status == 200

        code, out, err = reload(gate, tmp_path, "--gate", str(users), "--answered", "404")
        assert (code, err) == (0, ""), out + err
        assert gate.status["ruleset"] != first
        assert ask(gate.port, get("/report/b.asp")).status == 404


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--gate", "no"), "--gate: no: there is no such folder"),
        (("--gate", "empty"), "--gate: empty: holds no file"),
        (
            ("--gate", "users", "-c", "other.toml"),
            "stopgap.toml, not other.toml; that is what",
        ),
        (("--gate", "users", "--site", "x"), 'no site is called "x"'),
        (("--gate", "users", "--answered", "999"), '--answered: "999" is no status'),
        (("--answered", "200"), "--answered: goes with --gate only"),
        (("--gate", "noise"), "noise/a: is in no format that can be told from its beginning"),
    ],
)
def test_mistakes(mistaken: tuple[Gate, Path], flags: tuple[str, ...], said: str) -> None:
    gate, folder = mistaken
    code, out, err = reload(gate, folder, *flags)
    assert (code, out) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Gate, Path]]:
    folder = tmp_path_factory.mktemp("mistaken")
    for name in ("empty", "users", "noise"):
        (folder / name).mkdir()
    (folder / "users" / "a.log").write_text(NCSA, "utf-8")
    (folder / "noise" / "a").write_text("noise", "utf-8")
    site = {"origins": "http://192.0.2.1", "server": "iis5", "packs": []}
    with guarding(folder, site) as gate:
        (folder / "other.toml").write_bytes((folder / "stopgap.toml").read_bytes())
        yield gate, folder
