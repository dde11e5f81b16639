"""Are lines found again, and is whatever is wrong with a file told in one line?"""

from pathlib import Path

import pytest
from msgspec import Struct

from stopgap.errors import InputError
from stopgap.tomlfile import Document, KeyPath, convert, parse, read

TEXT = """\
top = 1

[[site]]
name = "a"
[site.limits]
target = 1

[[site]]
name = "b"
block = [
    'GET /x?a=b HTTP/1.0',
]
raw = '''
name = no key
'''
[[site.exception]]
rule = "r"
[[site.exception]]
rule = "s"
clients = { a = 1, deep = { b = 2 } }
x.y = 3
"""

LINES: list[tuple[KeyPath, int]] = [
    (("top",), 1),
    (("site", 0), 3),
    (("site", 0, "name"), 4),
    (("site", 0, "limits"), 5),
    (("site", 0, "limits", "target"), 6),
    (("site", 0, "limits", "absent"), 5),
    (("site", 1), 8),
    (("site", 1, "name"), 9),
    (("site", 1, "block", 0), 10),
    (("site", 1, "raw"), 13),
    (("site", 1, "exception", 0, "rule"), 17),
    (("site", 1, "exception", 1), 18),
    (("site", 1, "exception", 1, "clients", "deep", "b"), 20),
    (("site", 1, "exception", 1, "x", "y"), 21),
    (("nothing",), 1),
]


@pytest.fixture(scope="module")
def document() -> Document:
    return parse("a.toml", TEXT.encode())


@pytest.mark.parametrize(("path", "line"), LINES)
def test_lines(document: Document, path: KeyPath, line: int) -> None:
    assert document.line(path) == line
    assert document.where(path) == f"a.toml:{line}"


def test_line_inside_a_table_over_several_lines() -> None:
    text = b"[rule]\nmatch.any = [\n  { extension = 'x' },\n  { extention = 'y' },\n]\n"
    assert parse("a", text).line(("rule", "match", "any", 1, "extention")) == 4


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        (b"a = 1\nb = [1,\n", "a.toml:3: is not TOML: Invalid value"),
        (b"a = 1\nb 2\n", "a.toml:2, column 3: is not TOML: Expected '=' after a key in a key/value pair"),
        (b"a = 1\na = 2\n", "a.toml:2, column 6: is not TOML: Cannot overwrite a value"),
        (b"a = 1\n\x93\xfa\x96{ = 2\n", "a.toml:2: is not UTF-8 text; save the file as UTF-8"),
        (bytes(range(256)), "a.toml:2: is not UTF-8 text; save the file as UTF-8"),
        (b"a = \x00", "a.toml:1, column 5: is not TOML: Invalid value"),
        (b"a = " + b"[" * 100_000, "a.toml: is nested too deeply"),
    ],
)
def test_grammar(raw: bytes, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        parse("a.toml", raw)
    assert caught.value.problems == (problem,)


def test_windows_files_are_read() -> None:
    document = parse("a.toml", b"\xef\xbb\xbfa = 1\r\nb = 2\r\n")
    assert document.data == {"a": 1, "b": 2}
    assert document.line(("b",)) == 2


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    long = str(tmp_path / ("x" * 300))
    for file, why in [
        (str(tmp_path / "会計.toml"), "No such file or directory"),
        (str(tmp_path), "Is a directory"),
        ("/proc/self/mem", "Input/output error"),
        (long, "File name too long"),
    ]:
        with pytest.raises(InputError) as caught:
            read(file)
        assert str(caught.value) == f"{file}: cannot be read: {why}"
    with pytest.raises(InputError, match=r"^a\\x00b: cannot be read: "):
        read("a\0b")


def test_huge_files_are_not_read(tmp_path: Path) -> None:
    file = tmp_path / "huge.toml"
    with file.open("wb") as sparse:
        sparse.truncate(17 * 1024 * 1024)
    with pytest.raises(InputError, match=r"huge\.toml: is 17825792 bytes long"):
        read(str(file))


class _Inner(Struct, forbid_unknown_fields=True):
    size: int = 0


class _Outer(Struct, forbid_unknown_fields=True):
    name: str
    inner: list[_Inner] = []
    words: str | list[str] = ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('nam = "x"', 'a.toml:1: nam: unknown key; did you mean "name"?'),
        ("inner = []", "a.toml:1: name: is missing"),
        ("name = 3", "a.toml:1: name: must be text in quotes, not a whole number"),
        (
            'name = "x"\n[[inner]]\n[[inner]]\nsize = "y"',
            "a.toml:4: inner.size: must be a whole number, not text in quotes",
        ),
        ('name = "x"\n[[inner]]\nsice = 1', 'a.toml:3: inner.sice: unknown key; did you mean "size"?'),
        ('name = "x"\nwords = 1', "a.toml:2: words: must be text in quotes or a list, not a whole number"),
        ('name = "x"\nwords = [1]', "a.toml:2: words: must be text in quotes, not a whole number"),
        ('name = "x"\ninner = 3', "a.toml:2: inner: must be a list, not a whole number"),
    ],
)
def test_convert(text: str, problem: str) -> None:
    document = parse("a.toml", text.encode())
    with pytest.raises(InputError) as caught:
        convert(document.data, _Outer, document, (), {"": _Outer, "inner": _Inner})
    assert str(caught.value) == problem
