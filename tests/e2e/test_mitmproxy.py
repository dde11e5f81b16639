"""Does the real mitmproxy read what was kept, and does it export the request as it was sent?

And the other way round: what mitmproxy itself wrote can be replayed. mitmproxy comes by `tests/need.sh`;
where it is missing these tests fail.
"""

import base64
import json
import subprocess
import urllib.request
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from tests.e2e.client import Client
from tests.e2e.flowfiles import BIN, gathered, inside, kept, mitmproxy
from tests.e2e.gate import ENVIRONMENT, PROGRAM, guarding
from tests.e2e.origins import Origin, free_port, until

READ = """
import base64, json, sys
from mitmproxy.io import FlowReader
from mitmproxy.net.http.http1.assemble import assemble_request
with open(sys.argv[1], "rb") as file:
    flows = list(FlowReader(file).stream())
said = []
for flow in flows:
    raw = flow.metadata.pop("stopgap.raw", None)
    sent = base64.b64encode(raw or assemble_request(flow.request)).decode()
    said.append({"comment": flow.comment, "marked": flow.marked, "metadata": flow.metadata,
        "url": flow.request.url, "exact": raw is None, "sent": sent})
print(json.dumps(said))
"""
WRITE = """
import sys
from mitmproxy.io import FlowWriter
from mitmproxy.test import tflow, tutils
with open(sys.argv[1], "wb") as file:
    writer = FlowWriter(file)
    one = tutils.treq(host="h", path=b"/x.ida?NNN", headers=((b"Host", b"h"),), content=b"", method=b"GET")
    two = tutils.treq(host="h", authority=b"h", path=b"/a.asp", http_version=b"HTTP/2.0",
        headers=((b"a", b"b"),), content=b"c", method=b"POST")
    for flow in (tflow.tflow(req=one), tflow.tflow(req=two, resp=True), tflow.ttcpflow(), tflow.tdnsflow()):
        writer.add(flow)
print("true")
"""
CURL = """
from mitmproxy import ctx
class ToCurl:
    def __init__(self):
        self.flows = []
    def error(self, flow):
        self.flows.append(flow)
    def done(self):
        for number, flow in enumerate(self.flows):
            ctx.master.commands.call("export.file", "curl", flow, f"{number}.sh")
addons = [ToCurl()]
"""

SENT = [
    b"GET /x.ida?NNN%u9090=a HTTP/1.1\r\nHost: h:81\r\nUser-Agent: worm\r\nCookie: a=SECRET\r\n\r\n",
    b"GET /\x8e\x91\x97\xbf.ida HTTP/1.0\r\nHost: h\r\nAuthorization: Basic SECRET\r\n\r\n",
    b"POST /y.ida HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\na=b&c=\xff\0d",
    b"GET http://h/absolute.ida HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /odd.ida HTTP/1.1\r\nHost:h\r\nX:  two\r\n\r\n",
    b"GET /bare\nCookie: SECRET\n\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nCookie : SECRET\r\n\r\n",
    b"POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    b"POST /z.ida HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1;x\r\na\r\n0\r\n\r\n",
    b"GET /simple.ida\r\n\r\n",
]
HIDDEN = [one.replace(b"a=SECRET", b"********").replace(b"SECRET", b"******") for one in SENT]
EXACT = (0, 1, 2, 3, 6, 7)
"""Those of them that mitmproxy's own request expresses byte for byte."""


POSTED = b"POST /x.ida?a=%%81b HTTP/1.1\r\nHost: %b\r\nX-One: it's\r\nContent-Length: 5\r\n\r\nu=a&b"
"""With the origin as host, so that what is exported goes there."""


@pytest.fixture(scope="module")
def requests(folder: Path, shared: Origin) -> Path:
    """A flow file with what a gate has kept of all that was sent to it."""
    site = {"origins": shared.url, "server": "iis5", "packs": ["code-red"], "evidence": {"passes": 0}}
    sent = [*SENT, POSTED % shared.url.removeprefix("http://").encode()]
    with guarding(folder, site, state=str(folder / "state")) as gate:
        for number, data in enumerate(sent, 1):
            with Client(gate.port, source=f"127.0.4.{number}") as client:
                client.send(data)
                client.end()
                assert client.rest()
        until(lambda: gate.counts()["stopgap_evidence_kept_total", "site0"] == len(sent))
    assert len(kept(folder / "state")) == len(sent)
    return gathered(folder / "state", folder / "requests.flow")


def test_every_request_is_there_byte_for_byte_and_without_secrets(requests: Path, tmp_path: Path) -> None:
    assert b"SECRET" not in requests.read_bytes()
    read = inside(READ, str(requests), cwd=tmp_path)
    sent = [base64.b64decode(one["sent"]) for one in read]
    assert sorted(one for one in sent if b"it's" not in one) == sorted(HIDDEN)
    exact = {data for data, one in zip(sent, read, strict=True) if one["exact"]}
    assert {number for number, data in enumerate(HIDDEN) if data in exact} == set(EXACT)
    first = read[sent.index(HIDDEN[0])]
    assert first["url"] == "http://h:81/x.ida?NNN%u9090=a"
    assert first["comment"].startswith("Refused as extension-denied by rule ida-idq: Index Server")
    assert (first["marked"], first["metadata"]["stopgap.rule"]) == (":red_circle:", "ida-idq")
    assert first["metadata"]["stopgap.site"] == "site0"
    assert read[sent.index(HIDDEN[5])]["metadata"]["stopgap.reason"] == "bare-lf"


def test_mitmweb_shows_them(requests: Path, tmp_path: Path) -> None:
    port = free_port()
    words = ["--no-web-open-browser", "--web-port", str(port), "--set", "web_password=x"]
    with (tmp_path / "said").open("wb") as said:
        command = [str(BIN / "mitmweb"), "-n", "-r", str(requests), "--set", f"confdir={tmp_path}", *words]
        web = subprocess.Popen(command, stdout=said, stderr=said)
    found: list[dict[str, object]] = []

    def there() -> bool:
        with suppress(OSError):
            url = f"http://127.0.0.1:{port}/flows?token=x"
            with urllib.request.urlopen(url, timeout=30) as answer:
                found[:] = json.load(answer)
        return len(found) == len(SENT) + 1

    try:
        until(there, 60)
    finally:
        web.kill()
        web.wait()
    assert {flow["marked"] for flow in found} == {"🔴"}
    assert any(str(flow["comment"]).startswith("Refused as bare-lf") for flow in found)


def test_mitmdump_shows_them_and_har_is_the_request_as_sent(requests: Path, tmp_path: Path) -> None:
    said = mitmproxy("mitmdump", "-nr", str(requests), "--set", "hardump=out.har", cwd=tmp_path)
    assert "/x.ida?NNN" in said and "Refused as extension-denied by rule ida-idq" in said
    entries = [one["request"] for one in json.loads((tmp_path / "out.har").read_text())["log"]["entries"]]
    assert len(entries) == len(SENT) + 1
    first = next(one for one in entries if "x.ida" in one["url"])
    assert (first["method"], first["url"]) == ("GET", "http://h:81/x.ida?NNN%u9090=a")
    assert [(one["name"], one["value"]) for one in first["headers"]] == [
        ("Host", "h:81"),
        ("User-Agent", "worm"),
        ("Cookie", "********"),
    ]
    posted = next(one for one in entries if "y.ida" in one["url"])
    assert (posted["method"], posted["bodySize"]) == ("POST", 9)


def test_curl_sends_the_request_again(requests: Path, tmp_path: Path, origin: Origin) -> None:
    (tmp_path / "to_curl.py").write_text(CURL)
    words = ["-nr", str(requests), "-s", "to_curl.py", '~meta "stopgap.rule: ida-idq" & ~u 81b']
    mitmproxy("mitmdump", *words, cwd=tmp_path)
    assert origin.requests == []
    assert [path.name for path in tmp_path.glob("*.sh")] == ["0.sh"]
    subprocess.run(["sh", "0.sh"], cwd=tmp_path, check=True, capture_output=True, timeout=60)
    (again,) = origin.requests
    assert (again.method, again.target, again.body) == (b"POST", b"/x.ida?a=%81b", b"u=a&b")
    assert again.values(b"x-one") == [b"it's"]


def test_replay_reads_both(requests: Path, tmp_path: Path) -> None:
    config = tmp_path / "stopgap.toml"
    site = '[[site]]\nname = "s"\norigins = "http://127.0.0.1:1"\nserver = "iis5"\npacks = '
    config.write_text(f'{site}["code-red"]\n')
    (tmp_path / "none.toml").write_text(f"{site}[]\n")
    inside(WRITE, "of-mitmproxy.flow", cwd=tmp_path)
    words = ("-c", str(config), "--against", "none.toml", "--json")
    run = partial(
        subprocess.run, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False, cwd=tmp_path
    )
    done = run([PROGRAM, "replay", "of-mitmproxy.flow", *words])
    told = json.loads(done.stdout)
    assert (done.returncode, told["requests"], told["broken"]) == (1, 2, 2), done.stdout
    assert [one["by"] for one in told["differences"]["newly refused"]] == ["ida-idq"]
    done = run([PROGRAM, "replay", str(requests), *words])
    told = json.loads(done.stdout)
    assert (told["requests"], told["broken"]) == (len(SENT) + 1, 0)
    (newly,) = told["differences"]["newly refused"]
    named = [one["by"] for one in told["differences"]["refused for another reason"]]
    assert (newly["by"], newly["requests"], newly["paths"]) == ("ida-idq", 5, 4)
    assert all(one.endswith(" -> ida-idq") for one in named)


def test_explain_takes_a_flow_file(requests: Path, tmp_path: Path) -> None:
    def explain(*words: str) -> subprocess.CompletedProcess[str]:
        command = [PROGRAM, "explain", "--server", "iis5", *words]
        return subprocess.run(
            command, capture_output=True, text=True, env=ENVIRONMENT, timeout=60, check=False
        )

    flow = next(one for one in kept(requests.parent / "state") if one.request == HIDDEN[7])
    done = explain("--flow", str(requests), "--event", flow.metadata["stopgap.event"])
    assert done.returncode == 1 and "duplicate-length" in done.stdout, done.stdout + done.stderr
    assert explain("--flow", str(requests.parent / "state")).returncode == 1
    inside(WRITE, "of-mitmproxy.flow", cwd=tmp_path)
    done = explain("--flow", str(tmp_path / "of-mitmproxy.flow"))
    assert done.returncode == 1 and "ida-idq" in done.stdout
