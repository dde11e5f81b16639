"""Do the tables made from Windows' own agree with Python's codecs and with the catalogue (1.3.1)?"""

import pytest

from tests.oracle.pages import SEVERED, UNKNOWN, pages

PAGES = sorted(pages())
EAST_ASIA = (932, 936, 949, 950)


@pytest.mark.parametrize("number", PAGES)
def test_what_folds_is_not_in_the_page(number: int) -> None:
    """A best fit is lossy: Python's strict codec knows no byte for the character, or the same ASCII byte."""
    page = pages()[number]
    for character, code in page.folds.items():
        try:
            held = character.encode(page.codec)
        except UnicodeEncodeError:
            continue
        assert held == bytes([code]), f"U+{ord(character):04X}"


@pytest.mark.parametrize("number", EAST_ASIA)
def test_lead_bytes_are_those_that_need_a_second(number: int) -> None:
    page = pages()[number]
    for lead in range(0x80, 0x100):
        pairs = any(page.character(bytes([lead, trail])) != UNKNOWN for trail in range(0x40, 0xFF))
        assert not pairs or lead in page.leads, f"{lead:02x}"


@pytest.mark.parametrize(
    ("number", "character", "ascii_character"),
    [
        (932, "\u00a5", "\\"),
        (949, "\u20a9", "\\"),
        (1252, "\uff0e", "."),
        (1252, "\u2044", "/"),
        (1252, "\u2215", "/"),
        (1252, "\uff0f", "/"),
        (1252, "\u2216", "\\"),
        (1252, "\uff3c", "\\"),
        (1252, "\u066a", "%"),
        (1252, "\uff05", "%"),
        (1252, "\u0131", "i"),
        (1252, "\u010f", "d"),
        (1252, "\u0105", "a"),
        (850, "\u2216", "/"),
        (1253, "\u00b4", "/"),
        (1250, "\u266a", "d"),
        (932, "\u00ec", "i"),
        (932, "\u00f0", "d"),
        (932, "\u00aa", "a"),
        (932, "\u00ad", "-"),
    ],
)
def test_the_catalogue_s_folds(number: int, character: str, ascii_character: str) -> None:
    assert pages()[number].squeeze(character) == ord(ascii_character)


@pytest.mark.parametrize("number", EAST_ASIA)
def test_full_width_is_no_ascii_in_east_asia(number: int) -> None:
    for code in range(0xFF01, 0xFF5F):
        assert pages()[number].squeeze(chr(code)) in (chr(code), UNKNOWN)


@pytest.mark.parametrize("number", [437, 850, 874, 1250, 1251, 1252, 1253, 1254, 1257])
def test_full_width_is_ascii_elsewhere(number: int) -> None:
    for code in range(0xFF01, 0xFF5F):
        if code != 0xFF1F:  # `?` is also what a character without a place becomes
            assert pages()[number].squeeze(chr(code)) == code - 0xFEE0


def test_a_second_byte_may_be_a_backslash() -> None:
    assert pages()[932].read([0x95, 0x5C, 0x83, 0x5C, 0x94, 0x5C]) == ["表", "ソ", "能"]
    assert pages()[1252].read([0x95, 0x5C]) == ["•", 0x5C]


def test_a_lead_byte_takes_whatever_follows() -> None:
    assert pages()[932].read([0x81, ord("."), ord("i")]) == [UNKNOWN, ord("i")]
    assert pages()[932].read([0x81]) == [SEVERED]
