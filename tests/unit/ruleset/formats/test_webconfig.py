"""What does a whole web.config become, and what does a gate with it say of requests?"""

from pathlib import Path

import pytest

from stopgap.ruleset.formats import webconfig
from stopgap.ruleset.formats.settle import settle
from stopgap.ruleset.formats.source import Source, load
from tests.unit.ruleset.formats import filters

SAMPLE = load(str(Path(__file__).with_name("samples") / "web.config"))


def test_every_rule_holds() -> None:
    made = webconfig.read(SAMPLE)
    assert settle(made, SAMPLE.file) == made
    assert made.site["methods"] == ["GET", "HEAD", "POST"]
    assert made.site["limits"] == {"path": 1024, "query": 512, "body": 1_000_000, "target": 1537}
    assert [note.what for note in made.report if note.lost] == ['always allowed query "q=<script>"']


@pytest.mark.parametrize(
    ("request_text", "refused"),
    [
        ("GET /a.ida HTTP/1.0", True),
        ("GET /query.idq HTTP/1.0", False),
        ("GET /a/BIN/b HTTP/1.0", True),
        ("GET /abin/b HTTP/1.0", False),
        ("GET /a?q=<script> HTTP/1.0", False),
        ("GET /a?q=<script>x HTTP/1.0", True),
        ("GET /a?q=%3cscript HTTP/1.0", True),
        ("TRACE / HTTP/1.0", True),
        ("GET /a HTTP/1.0\r\nTranslate: f", True),
        ("GET /a.asp?q=-- HTTP/1.0", True),
        ("GET /a.asp?q=%zz HTTP/1.0", True),
        ("GET /a HTTP/1.0\r\nReferer: http://libwww", True),
        ("GET /a HTTP/1.0\r\nReferer: 100%", False),
    ],
)
def test_a_gate(tmp_path: Path, request_text: str, refused: bool) -> None:
    policy, site, rules = filters.gate(webconfig.read(SAMPLE), tmp_path)
    line, _, rest = request_text.partition("\r\n")
    fields = f"{rest}\r\n" if rest else ""
    wire = f"{line}\r\nHost: o\r\n{fields}\r\n".encode()
    assert (policy.judge(wire, 0) is not None) == refused
    exported = webconfig.write(site, rules)
    assert exported.report == ()
    again, *_ = filters.gate(webconfig.read(Source("w", exported.text)), tmp_path)
    assert (again.judge(wire, 0) is not None) == refused
