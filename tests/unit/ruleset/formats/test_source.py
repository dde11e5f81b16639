"""Is the text of a foreign file what its bytes say, and is a wrong encoding refused with the line?"""

from pathlib import Path

import pytest

from stopgap.errors import FormatError
from stopgap.ruleset.formats import source
from stopgap.tomlfile import LARGEST

TEXT = "[Options]\n; 会計\n"


@pytest.mark.parametrize(
    ("raw", "codepage"),
    [
        (TEXT.encode(), None),
        (TEXT.replace("\n", "\r\n").encode(), None),
        (TEXT.replace("\n", "\r").encode(), None),
        (TEXT.encode("utf-8-sig"), None),
        (b"\xff\xfe" + TEXT.encode("utf-16-le"), None),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), None),
        (TEXT.encode("cp932"), 932),
        (TEXT.encode("utf-8-sig"), 932),
    ],
)
def test_every_encoding_gives_the_same_text(raw: bytes, codepage: int | None) -> None:
    assert source.decode(raw, "urlscan.ini", codepage).text == TEXT


def test_an_xml_declaration_says_the_encoding() -> None:
    text = '<?xml version="1.0" encoding="Shift_JIS"?>\n<configuration>会計</configuration>'
    assert source.decode(text.encode("cp932"), "web.config").text == text


@pytest.mark.parametrize(
    ("raw", "codepage", "wrong"),
    [
        (
            TEXT.encode("cp932"),
            None,
            "f:2: is not utf-8 text; save it as UTF-8, or name its code page, such as --codepage 932",
        ),
        (
            b"a\n\x81\n",
            932,
            "f:2: is not cp932 text; name the code page that it was saved in, or save it as UTF-8",
        ),
        (
            TEXT.encode("utf-16-le")[:8],
            None,
            "f:1: holds a NUL; a file in UTF-16 must begin with a byte order mark",
        ),
        (b"\xff\xfea\x00\n\x00b", None, "f:2: is not utf-16-le text; save it again"),
        (
            b'<?xml version="1.0" encoding="klingon"?>',
            None,
            'f:1: encoding "klingon" is unknown; save it as UTF-8',
        ),
    ],
)
def test_what_does_not_fit_is_refused(raw: bytes, codepage: int | None, wrong: str) -> None:
    with pytest.raises(FormatError) as caught:
        source.decode(raw, "f", codepage)
    assert str(caught.value) == wrong


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="cannot be read: No such file or directory"):
        source.load(str(tmp_path / "none.ini"))


def test_a_file_that_is_too_long() -> None:
    with pytest.raises(FormatError, match="is longer than the"):
        source.decode(b" " * (LARGEST + 1), "f")
