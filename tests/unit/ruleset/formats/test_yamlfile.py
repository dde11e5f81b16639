"""Does every value of a YAML file keep its line, and is a file with a fault or a trap refused?"""

import pytest

from stopgap.errors import FormatError
from stopgap.ruleset.formats.source import Source
from stopgap.ruleset.formats.yamlfile import Reader, Value, documents


def test_values_keep_their_lines() -> None:
    (first, second) = documents(Source("x", "a:\n  - b\n  - 1\nc: true\n---\nd: 2001-01-01\n"))
    assert first == Value(
        {"a": Value([Value("b", 2), Value(1, 3)], 2), "c": Value(True, 4)},
        1,
    )
    assert second == Value({"d": Value("2001-01-01", 6)}, 6)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("a: [1", "x:1: is not YAML: expected ',' or ']'"),
        ("a: b\n c: d", "x:2: is not YAML: mapping values are not allowed here"),
        (
            "a: 1\nb: &x [1]\nc: *x",
            "x:2: anchors and aliases are not read; write the value where it is meant",
        ),
        (
            "a: !!python/object/apply:os.system [x]",
            "x:1: tag:yaml.org,2002:python/object/apply:os.system: this tag is not read",
        ),
        ("a: 1\na: 2", "x:2: a: stands there twice"),
        ("? [a]\n: b", "x:1: a key must be a word"),
        ("[" * 80 + "]" * 80, "x:1: is nested more than 60 deep"),
        ("a: \x01", "x:1: is not YAML: unacceptable character"),
    ],
)
def test_faults(text: str, wrong: str) -> None:
    with pytest.raises(FormatError) as raised:
        documents(Source("x", text))
    assert str(raised.value).startswith(wrong)


def test_shapes() -> None:
    reader = Reader(Source("x", ""))
    assert reader.texts(Value("a", 1), "k") == ["a"]
    assert reader.texts(Value([Value("a", 1), Value(2, 1)], 1), "k") == ["a", "2"]
    with pytest.raises(FormatError, match="x:3: k: must be a list that is not empty"):
        reader.items(Value([], 3), "k")
    with pytest.raises(FormatError, match="x:3: k: must be a text that is not empty"):
        reader.text(Value(True, 3), "k")
    with pytest.raises(FormatError, match=r'x:3: k\.zonse: unknown key; did you mean "zones"'):
        reader.mapping(Value({"zonse": Value(1, 3)}, 2), "k", ("zones",))
    with pytest.raises(FormatError, match="x:2: k: must be a mapping with zones"):
        reader.mapping(Value("a", 2), "k", ("zones",))
