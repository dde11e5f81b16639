"""Who gets in at the admin address, and what of an attacker's request comes out of it?

What a client sends is shown to people in five places: the log, /events, /metrics, and what `stopgap status`
and `stopgap explain` print. None of them may carry a byte that moves a cursor, ends a line or is a tag.
"""

import subprocess
from http.client import HTTPConnection
from pathlib import Path

from tests.e2e.client import Client, ask, get
from tests.e2e.gate import ENVIRONMENT, PROGRAM, Gate, guarding, written
from tests.e2e.origins import Origin, until

TOKEN = "0123456789abcdef"
PATHS = ("/status", "/metrics", "/events", "/events/0123456789abcdef", "/rules", "/rulesets", "/nothing")


def run(*words: str) -> tuple[int, str]:
    """Exit code and all that a command says."""
    done = subprocess.run([PROGRAM, *words], capture_output=True, env=ENVIRONMENT, timeout=60, check=False)
    return done.returncode, (done.stdout + done.stderr).decode()


def code(gate: Gate, path: str, method: str = "GET", token: str = "") -> int:
    connection = HTTPConnection("127.0.0.1", gate.admin, timeout=30)
    try:
        connection.request(method, path, headers={"Authorization": f"Bearer {token}"} if token else {})
        return connection.getresponse().status
    finally:
        connection.close()


def test_nobody_without_the_token(tmp_path: Path, origin: Origin) -> None:
    """Also from this machine; a new token holds from the reload on."""
    file = tmp_path / "token"
    file.write_text(f"{TOKEN}\n")
    file.chmod(0o600)
    with guarding(tmp_path, {"origins": origin.url}, admin_token_file="token") as gate:
        assert [code(gate, path) for path in PATHS] == [401] * len(PATHS)
        verbs = ("reload", "drain", "rollback", "upgrade")
        assert [code(gate, f"/{verb}", "POST") for verb in verbs] == [401] * 4
        assert [code(gate, path, token="x" + TOKEN) for path in PATHS] == [401] * len(PATHS)
        assert [code(gate, path) for path in ("/livez", "/readyz")] == [200, 200]
        assert [code(gate, path, token=TOKEN) for path in PATHS] == [200, 200, 200, 404, 200, 200, 404]
        door = ("--admin", f"127.0.0.1:{gate.admin}")
        configured = (*door, "--config", str(tmp_path / "stopgap.toml"))
        assert run("status", *door)[0] == 3
        assert "answered 401" in run("reload", *door)[1]
        assert run("status", *door, "--admin-token-file", str(file))[0] == 0
        for words in (("status",), ("reload",), ("rules", "versions")):
            assert run(*words, *configured)[0] == 0
        refused = ask(gate.port, get("/a%5c..%5cb")).event
        until(lambda: code(gate, f"/events/{refused}", token=TOKEN) == 200)
        explained = run("explain", "--event", refused, *configured)
        assert explained[0] == 1 and f"event     {refused}" in explained[1]
        file.write_text(TOKEN[::-1])
        assert code(gate, "/status", token=TOKEN) == 200
        assert code(gate, "/reload", "POST", token=TOKEN) == 200
        assert code(gate, "/status", token=TOKEN) == 401
        assert run("drain", *configured)[0] == 0
        assert gate.ended() == 0


def test_a_door_to_other_machines_without_a_token_is_not_opened(tmp_path: Path, origin: Origin) -> None:
    config = written(tmp_path, {"origins": origin.url}, admin="0.0.0.0:0")
    for verb in ("check", "serve"):
        exit_code, said = run(verb, "--config", config)
        assert exit_code == 2
        assert said.startswith(f'{config}:1: admin: "0.0.0.0:0" is open to other machines and needs a token')


HOSTILE = b"\x1b[31m<b onload=x>&'\"\x7f\x9b\x85\xe2\x80\xae\r"
"""ESC and CSI, a tag, quotes, DEL, NEL, a right-to-left override and a carriage return."""
PLACES = (
    b"GET /x.ida?%s HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /%s HTTP/1.1\r\nHost: h\r\n\r\n",
    b"%s / HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET / %s\r\nHost: h\r\n\r\n",
    b"GET /x.ida HTTP/1.1\r\nHost: %s\r\n\r\n",
    b"GET /x.ida HTTP/1.1\r\nHost: h\r\nUser-Agent: %s\r\n\r\n",
    b"GET /x.ida HTTP/1.1\r\nHost: h\r\n%s: x\r\n\r\n",
    b"GET http://%s/x.ida HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /x.ida HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: %s\r\n\r\n",
)


def clean(text: str) -> bool:
    """Whether it holds nothing but printable ASCII and line ends, and no tag of the attacker's."""
    return all(one == "\n" or " " <= one <= "~" for one in text)


def test_nothing_that_a_client_sent_comes_out_raw(tmp_path: Path, origin: Origin) -> None:
    site = {"origins": origin.url, "packs": ["code-red"]}
    with guarding(tmp_path, site, trusted=["127.0.0.0/8"]) as gate:
        ids = []
        for number, place in enumerate(PLACES):
            for hostile in (HOSTILE, HOSTILE[:-1], HOSTILE[:18]):
                with Client(gate.port, source=f"127.0.9.{number + 1}") as client:
                    answer = client.ask(place.replace(b"%s", hostile))
                assert answer.status >= 400 and answer.event, (place, hostile)
                assert clean(answer.body.decode("latin-1")) and b"onload" not in answer.body
                ids.append(answer.event)
        until(lambda: ids[-1] in gate.admins("/events")[1])
        door = ("--admin", f"127.0.0.1:{gate.admin}")
        known = [one for one in ids if gate.admins(f"/events/{one}")[0] == 200]
        assert len(known) >= len(PLACES)
        shown = {
            path: gate.admins(path)[1] for path in ("/events", "/rows", "/series/hour", "/status", "/metrics")
        }
        shown |= {one: gate.admins(f"/events/{one}")[1] for one in known}
        shown["status"] = run("status", *door)[1]
        shown["the log"] = (tmp_path / "events").read_text("utf-8")
        for one in known[::3]:
            shown[f"explain {one}"] = run("explain", "--event", one, *door)[1]
        assert [place for place, text in shown.items() if not clean(text)] == []
        readings = [gate.admins(f"/explained/{one}")[1] for one in known]  # in any script, but printable
        assert all(line.isprintable() for text in readings for line in text.splitlines())
        assert [place for place in ("/status", "/metrics", "status") if "onload" in shown[place]] == []
