"""Do flows become vectors that hold, and exceptions that let pass?"""

import tomllib
from pathlib import Path

import pytest

from stopgap import config, texts
from stopgap.workbench import notes
from stopgap.workbench.judge import Judge

TEXT = """\
[[site]]
name = "会計"
origins = "http://192.0.2.10"
server = "iis5"
codepage = 932
"""
IDA = (
    b"GET /s/find.idq?q=a HTTP/1.1\r\nHost: kaikei.test\r\nCookie: secret=1\r\nAuthorization: NTLM a\r\n\r\n"
)


@pytest.fixture(scope="module")
def judge() -> Judge:
    with texts.replaced({"site.toml": TEXT.encode()}):
        return Judge(config.load("site.toml"), TEXT)


def test_a_vector_is_short_and_holds(judge: Judge) -> None:
    written = notes.vector(judge, judge.ask(IDA), "block")
    assert (
        written
        == "# rule \"ida-idq\" (code-red.toml) catches this\nblock = ['GET /s/find.idq?q=a HTTP/1.1']\n"
    )


def test_a_vector_has_what_it_needs_and_no_secrets(judge: Judge) -> None:
    raw = b"GET /a.asp HTTP/1.1\r\nHost: a\r\nCookie: secret=1\r\nTranslate: f\r\nX: {it's}\r\n\r\n"
    asked = judge.ask(raw)
    assert asked.event and asked.event.rule_id
    written = notes.vector(judge, asked, "block")
    (vector,) = tomllib.loads(written)["block"]
    assert vector == "GET /a.asp HTTP/1.1\nHost: a\nTranslate: f\nX: \\x7bit\\x27s}\n\n"


def test_a_request_that_passes(judge: Judge) -> None:
    written = notes.vector(judge, judge.ask(b"GET /a.asp HTTP/1.0\r\n\r\n"), "pass")
    assert written == "# no rule catches this\npass = ['GET /a.asp HTTP/1.1']\n".replace("1.1", "1.0")


@pytest.mark.parametrize(
    ("raw", "kind", "message"),
    [
        (IDA, "blok", '"blok" is no kind of vector; give block or pass'),
        (b"GET /\r\n", "block", "the head of this request has no end; a vector is a whole head"),
        (
            b"POST /a.asp HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 70000\r\n\r\n"
            + b"\xff" * 70000,
            "pass",
            "",
        ),
    ],
)
def test_what_no_vector_can_be_made_of(judge: Judge, raw: bytes, kind: str, message: str) -> None:
    if not message:  # the body has no part in the verdict, so it is left out
        assert notes.vector(judge, judge.ask(raw), kind).endswith("pass = ['POST /a.asp HTTP/1.1']\n")
        return
    with pytest.raises(notes.Unfit) as unfit:
        notes.vector(judge, judge.ask(raw), kind)
    assert str(unfit.value) == message


def test_an_exception_lets_pass(judge: Judge) -> None:
    written = notes.exception(judge, judge.ask(IDA), "検索のページ", "sato")
    assert written.startswith('# below [[site]] "会計"\n')
    (made,) = tomllib.loads(written)["site"]["exception"]
    assert (made["rule"], made["path"], made["reason"], made["owner"]) == (
        "ida-idq",
        "/s/find.idq",
        "検索のページ",
        "sato",
    )
    text = TEXT + written
    with texts.replaced({"site.toml": text.encode()}):
        assert Judge(config.load("site.toml"), text).ask(IDA).fate == "passes"


def test_what_needs_or_can_have_no_exception(judge: Judge) -> None:
    cases = [
        (IDA, " ", "an exception says who needs it, and why: give a reason"),
        (b"GET /a.asp HTTP/1.0\r\n\r\n", "x", "nothing speaks against this request; it needs no exception"),
        (b"GET / HTTP/1.1\r\nHost : a\r\n\r\n", "x", "no exception can let it pass (space-before-colon)"),
    ]
    for raw, reason, message in cases:
        with pytest.raises(notes.Unfit) as unfit:
            notes.exception(judge, judge.ask(raw), reason, "")
        assert str(unfit.value) == message


def test_a_file_grows(tmp_path: Path) -> None:
    path = tmp_path / "新しい.toml"
    notes.append(str(path), "block = ['a']\n")
    notes.append(str(path), "pass = ['b']\n")
    assert path.read_text() == "block = ['a']\n\npass = ['b']\n\n"
    with pytest.raises(notes.Unfit, match=r"nowhere/x: cannot be written: No such file or directory"):
        notes.append(str(tmp_path / "nowhere" / "x"), "a")
