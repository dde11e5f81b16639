"""Does the judge of the workbench say what the gate would do, whole and alone?"""

from datetime import date, timedelta

import pytest

from stopgap import config, texts
from stopgap.errors import ConfigError
from stopgap.workbench.judge import Judge

HEAD = b"GET %b HTTP/1.1\r\nHost: kaikei.test\r\n%b\r\n"
TWO = """\
[[site]]
name = "kaikei"
hosts = ["kaikei.test"]
origins = "http://192.0.2.10"
server = "iis5"
codepage = 932

[[site]]
name = "other"
hosts = ["other.test"]
origins = "http://192.0.2.11"
server = "iis5"
body = "stream"
mode = "detect"
"""
RULES = """
[[rule]]
id = "%s"
title = "T"
match = { extension = "ours" }
action = "%s"
%s
block = ['GET /a.ours HTTP/1.0']
pass = ['GET /a HTTP/1.0']
"""


def judge(text: str, site: str | None = None) -> Judge:
    with texts.replaced({"two.toml": text.encode()}):
        return Judge(config.load("two.toml"), text, site)


def test_the_page_and_the_event_have_one_id() -> None:
    bench = judge(TWO, "kaikei")
    first, second = bench.ask(HEAD % (b"/x.ida", b"")), bench.ask(HEAD % (b"/x.ida", b""))
    assert first.event and second.event and first.answer and second.answer
    assert (first.fate, first.event.reason, first.event.rule_id) == ("refused", "extension-denied", "ida-idq")
    assert first.event.count == second.event.count == 0
    assert first.event.event_id != second.event.event_id
    for one in (first, second):
        assert one.event and f"X-Stopgap-Event: {one.event.event_id}".encode() in (one.answer or b"")
        assert one.sent == b""


def test_every_host_is_of_the_chosen_site() -> None:
    kaikei, other = judge(TWO, "kaikei"), judge(TWO, "other")
    for bench, fate in ((kaikei, "refused"), (other, "detected")):
        for host in (b"kaikei.test", b"other.test", b"127.0.0.1:8082"):
            asked = bench.ask(b"GET /x.ida HTTP/1.1\r\nHost: " + host + b"\r\n\r\n")
            assert (asked.fate, asked.seen.site) == (fate, bench.site.name)
    assert kaikei.index == 0
    assert other.index == 1


@pytest.mark.parametrize(
    ("site", "message"),
    [
        (None, "--site: is missing; two.toml has 2 sites: kaikei, other"),
        ("othr", '--site: no site is called "othr"; did you mean "other"?'),
    ],
)
def test_which_site(site: str | None, message: str) -> None:
    with pytest.raises(ConfigError) as wrong:
        judge(TWO, site)
    assert str(wrong.value) == message


def test_a_body_is_sent_whole_and_with_its_length() -> None:
    chunked = b"POST /a.asp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"
    for site in ("kaikei", "other"):  # one buffers, the other streams
        sent = judge(TWO, site).ask(chunked).sent
        head, _, body = sent.partition(b"\r\n\r\n")
        assert body == b"abc"
        assert b"Content-Length: 3" in head


def test_a_hundred_continue_is_no_answer() -> None:
    raw = b"POST /a.asp HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
    for site in ("kaikei", "other"):
        assert judge(TWO, site).ask(raw + b"abc").sent.endswith(b"\r\n\r\nabc")
        assert judge(TWO, site).ask(raw).fate == "refused"  # the body is not there


def test_what_is_not_whole_is_not_sent() -> None:
    asked = judge(TWO, "kaikei").ask(b"GET / HTTP/1.1\r\nHost: a\r\n")
    assert (asked.answer, asked.sent) == (b"", b"")
    assert asked.fate == "incomplete"


@pytest.mark.parametrize(
    ("action", "more", "fate"),
    [("drop", "", "dropped"), ("tarpit", "", "tarpitted"), ("strip", 'strip = "X-Odd"', "stripped")],
)
def test_actions(action: str, more: str, fate: str) -> None:
    asked = judge(TWO + RULES % ("ours", action, more), "kaikei").ask(HEAD % (b"/a.ours", b"X-Odd: 1\r\n"))
    assert asked.fate == fate
    assert asked.answer == (None if fate == "stripped" else b"")
    assert b"X-Odd" not in asked.sent


def test_exceptions_count_and_the_old_ones_are_told() -> None:
    exception = (
        '[[site.exception]]\nrule = "ida-idq"\npath = "/s/*"\ncompat = "none"\nreason = "r"\nuntil = {}\n'
    )
    today = date.today()
    good = exception.format(today + timedelta(days=9))
    bench = judge(TWO + good, "other")
    assert bench.ask(HEAD % (b"/s/a.ida", b"")).fate == "passes"
    old = exception.format(today - timedelta(days=9))
    assert "two.toml" in judge(TWO + old, "other").warnings[0]


def test_connections_are_not_counted() -> None:
    bench = judge("new_connections = 1\nclient_connections = 1\n" + TWO, "kaikei")
    assert {bench.ask(HEAD % (b"/", b"")).fate for _ in range(5)} == {"passes"}


def test_the_explanation_names_everything() -> None:
    bench = judge(TWO, "kaikei")
    told = bench.told(bench.ask(HEAD % (b"/x.%2569da", b""))).plain
    assert "rule      ida-idq: " in told
    assert "percent > percent-2" in told
