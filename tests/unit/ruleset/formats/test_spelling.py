"""Does text that is spelt into a vector or a match mean itself there?"""

import re
from urllib.parse import unquote_to_bytes

from hypothesis import given
from hypothesis import strategies as st

from stopgap.ruleset import vectors
from stopgap.ruleset.formats import spelling

TEXT = st.text(st.characters(exclude_categories=["Cs"], min_codepoint=0x20), max_size=12)
HARD = st.one_of(TEXT, st.sampled_from(["{x*3}", "\\x41", "\\\\x41", "{\\x41*2}", "%41", "a\\", "x\\x4"]))


@given(HARD)
def test_a_path_and_a_query_decode_to_the_text(text: str) -> None:
    for spelt in (spelling.in_path(text), spelling.in_query(text)):
        target = vectors.request(f"GET /{spelt} HTTP/1.0").split(b" ")[1]
        assert unquote_to_bytes(target[1:]) == text.encode()
    assert not set(spelling.in_query(text)) & set("&=+#? ")
    assert not set(spelling.in_path(text)) & set("#? ")


@given(HARD)
def test_a_header_is_the_text(text: str) -> None:
    raw = vectors.request(f"GET / HTTP/1.0\nHost: h\nX: {spelling.as_it_is(text)}")
    assert raw.split(b"\r\nX: ")[1].removesuffix(b"\r\n\r\n") == text.encode()


@given(HARD)
def test_a_value_of_a_match_means_the_text(text: str) -> None:
    value = spelling.in_match(text)
    raw = re.sub(rb"\\x([0-9A-Fa-f]{2})", lambda found: bytes([int(found[1], 16)]), value.encode())
    assert raw == text.encode()
    assert spelling.from_match(value) == text


def test_bytes_that_are_no_text() -> None:
    assert spelling.from_match(r"\x81") is None
