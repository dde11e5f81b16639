"""Is no secret left, however its header is spelled, and is the rest as it was?"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stopgap.events.redact import FORWARDED, Redactor

SECRET = "c2VjcmV0OnNlY3JldA=="
NAMES = ("Authorization", "Proxy-Authorization", "Cookie", "X-Api-Key")
REDACT = Redactor(["x-api-key"])

GET = "GET /cookie.asp?authorization=1 HTTP/1.1\r\nHost: h\r\n"
SPELLINGS = [
    "{name}: {secret}",
    "{name}:{secret}",
    "{name} : {secret}",
    "{name}\t:\t{secret}",
    " {name}: {secret}",
    "{name}: a=1; b={secret}; c={secret}",
    "{name}:\r\n {secret}\r\n\t{secret}",
    "{name}: a\r\n {secret}",
    "{name}\r\n : {secret}",
    "{name}:\n{secret}",
    "{name}: a\r{secret}",
    "{name}: a\0{secret}",
    "{name} {secret}",
    "{name}\r\n {secret}",
    "X: y\r{name}: {secret}",
    "X: y\0{name}: {secret}",
    "X-{name}: {secret}",
    "{name}2: {secret}",
    "{name}: Basic {secret}",
    "{name}: NTLM {secret}",
]
"""Lines of a head, in the grammar of old servers and beside it."""
FRAMES = [
    GET + "{line}\r\nX: y\r\n\r\nbody",
    GET + "{line}\n\n",
    "{line}\r\n\r\n",
    "\r\n{line}\r\n\r\n",
    "GET /\r\n{line}",
    "GET / HTTP/1.1\r{line}\r\n\r\n",
    "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n{line}\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 90\r\n\r\nGET /hidden HTTP/1.1\r\n{line}\r\n\r\n",
]

junk = st.sampled_from(["", "", "\0", "\x7f", "\x01", " ", "\t", "é"])


@st.composite
def names(draw: st.DrawFn) -> str:
    """A secret name in any case, with bytes between that a server may overlook, folded or not."""
    name = draw(st.sampled_from(NAMES))
    letters = [char.upper() if draw(st.booleans()) else char.lower() for char in name]
    place = draw(st.integers(1, len(name) - 1))
    letters.insert(place, draw(junk))
    return "".join(letters)


@given(names(), st.sampled_from(SPELLINGS), st.sampled_from(FRAMES), st.text("bcdfgh12+/=", min_size=8))
def test_no_secret_is_left(name: str, spelling: str, frame: str, secret: str) -> None:
    line = spelling.format(name=name, secret=secret)
    raw = frame.format(line=line).encode("latin-1")
    left = REDACT(raw)
    assert secret.encode() not in left
    assert len(left) == len(raw)
    assert REDACT(left) == left


@pytest.mark.parametrize(
    "name", ["Coo\r\n kie", "Authori\r\n\tzation", "Cook\0ie", "Coo\rkie", "proxy_authorization"]
)
def test_a_name_that_is_folded_or_broken_is_a_name(name: str) -> None:
    for frame in FRAMES:
        assert SECRET.encode() not in REDACT(frame.format(line=f"{name}: {SECRET}").encode())


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_any_bytes_keep_their_length(before: bytes, after: bytes) -> None:
    raw = before + b"\r\nCookie: secret-value\r\n" + after
    left = REDACT(raw)
    assert len(left) == len(raw)
    assert b"\nCookie: secret-value" not in left


def test_what_is_no_secret_stays() -> None:
    raw = (
        GET + "Vary: Cookie\r\nAccept: */*\r\nAuthorization: NTLM TlRMTVNTUAAB\r\n"
        "Set: a\r\n folded\r\n\r\n"
        '{"a": 1, "cookie": 2}\nuser=x&cookie=1\nname: value\n'
    ).encode()
    assert REDACT(raw) == raw.replace(b"TlRMTVNTUAAB", b"*" * 12)


def test_user_and_password_of_a_url() -> None:
    left = REDACT(b"GET http://user:pass@h/a@b HTTP/1.1\r\nReferer: https://u:p@x@h/?a@b\r\n\r\n")
    assert left == b"GET http://*********@h/a@b HTTP/1.1\r\nReferer: https://*****@h/?a@b\r\n\r\n"


def test_control_bytes_of_a_secret_stay_so_that_the_fault_is_seen() -> None:
    assert REDACT(b"GET / HTTP/1.1\r\nCookie: a\0b\rc\x7f\r\n\r\n").endswith(b"Cookie: *\0*\r*\x7f\r\n\r\n")


def test_only_the_names_that_were_given_are_secret() -> None:
    raw = b"GET / HTTP/1.1\r\nX-Api-Key: k\r\nX-Forwarded-For: 192.0.2.7\r\n\r\n"
    assert Redactor()(raw) == raw
    assert b"192.0.2.7" not in Redactor(FORWARDED)(raw)
