"""Do vectors unfold to the bytes they stand for, and is a vector that does not hold told with its line?"""

from pathlib import Path

import pytest

from stopgap.ruleset import load, vectors
from tests.unit.ruleset.builders import rules_of

END = b"\r\nHost: vector.test\r\n\r\n"


@pytest.mark.parametrize(
    ("text", "raw"),
    [
        ("GET / HTTP/1.0", b"GET / HTTP/1.0" + END),
        ("GET /{N*3}a{ab*2} HTTP/1.0", b"GET /NNNaabab HTTP/1.0" + END),
        (r"GET /\xC0\xaf HTTP/1.0", b"GET /\xc0\xaf HTTP/1.0" + END),
        (r"GET /{\x90*3} HTTP/1.0", b"GET /\x90\x90\x90 HTTP/1.0" + END),
        (r"GET /a\b\x4 HTTP/1.0", rb"GET /a\b\x4 HTTP/1.0" + END),
        (r"GET /\x0a HTTP/1.0", b"GET /\n HTTP/1.0" + END),
        ("GET /表 HTTP/1.0", "GET /表 HTTP/1.0".encode() + END),
        ("GET /{a} HTTP/1.0", b"GET /{a} HTTP/1.0" + END),
        ("GET / HTTP/1.0\nA: b\n", b"GET / HTTP/1.0\r\nA: b\r\n\r\n"),
        ("GET / HTTP/1.0\n{A: b\n*2}", b"GET / HTTP/1.0\r\nA: b\r\nA: b\r\n\r\n"),
        ("POST / HTTP/1.0\nA: b\n\nbo\ndy", b"POST / HTTP/1.0\r\nA: b\r\n\r\nbo\r\ndy"),
        ("POST / HTTP/1.0\nA: b\n\nx\n\ny", b"POST / HTTP/1.0\r\nA: b\r\n\r\nx\r\n\r\ny"),
    ],
)
def test_requests(text: str, raw: bytes) -> None:
    assert vectors.request(text) == raw


@pytest.mark.parametrize(
    "raw",
    [
        b"GET / HTTP/1.0\r\n\r\n",
        b"\r\nGET /{a*3}\\x41\\b\xff\x00 HTTP/1.0\r\nA: \xe8\xa1\xa8\r\n\r\n",
        b"POST / HTTP/1.0\r\nA: b\r\n\r\nx\r\n\r\ny\nz\r{b*2}\r\n",
        b"GET /a HTTP/1.0\nA: b\r\n\r\n\r\n\r\n",
    ],
)
def test_any_bytes_can_be_written_as_a_vector(raw: bytes) -> None:
    text = vectors.written(raw)
    assert vectors.request(text) == raw
    assert text.isascii() and text.replace("\n", "").isprintable()


def test_a_vector_that_unfolds_too_far() -> None:
    with pytest.raises(ValueError, match="unfolds to more than 67108864 bytes"):
        vectors.request("GET /{a*999999999} HTTP/1.0")


RULE = """\
[[rule]]
id = "htr"
title = "T"
servers = ["iis5", "iis6"]
match = { extension = "htr" }
block = ['GET /a.htr HTTP/1.0', 'GET /a.htm HTTP/1.0']
pass = [
    'GET / HTTP/1.0',
    'GET /b.%68tr HTTP/1.0',
    'GET /{b*999999999} HTTP/1.0',
]
"""


def test_failures_name_everything(tmp_path: Path) -> None:
    failures = [str(failure) for failure in vectors.run(rules_of(tmp_path, RULE))]
    assert [failure.replace(f"{tmp_path}/", "") for failure in failures] == [
        "ours.toml:6: rule \"htr\": block: 'GET /a.htm HTTP/1.0' is not caught by this rule on iis5, "
        "code page 1252; verdict: passes",
        "ours.toml:9: rule \"htr\": pass: 'GET /b.%68tr HTTP/1.0' is caught by this rule on iis5, "
        "code page 1252; verdict: refused: extension-denied (htr)",
        "ours.toml:10: rule \"htr\": pass: 'GET /{b*999999999} HTTP/1.0' is caught by this rule on any, "
        "code page 1252; verdict: unfolds to more than 67108864 bytes",
    ]


LABEL = """\
[[rule]]
id = "half"
title = "T"
match = { reason = "bad-dbcs" }
block = ['GET /a%81.asp HTTP/1.0', 'GET /b.asp HTTP/1.0']
pass = ['GET /%95%5C.asp HTTP/1.0', 'GET / HTTP/1.0']
"""


def test_a_label_holds_in_one_of_the_code_pages(tmp_path: Path) -> None:
    (failure,) = vectors.run(rules_of(tmp_path, LABEL))
    assert failure.vector.text == "GET /b.asp HTTP/1.0"


def test_progress_is_told() -> None:
    rules = load.packaged()[0].rules[:2]
    told: list[None] = []
    vectors.run(rules, lambda: told.append(None))
    assert len(told) == sum(len(rule.block) + len(rule.passes) for rule in rules)
