"""Is a match told in words, on one line or on several?"""

from stopgap.ruleset.words import outline, written


def test_written() -> None:
    leaf = {"field": "header", "name": "if", "test": "length", "over": 3}
    same = {"field": "param", "same": [{"on": "name", "test": "equals", "value": ["a"]}]}
    assert written({"all": [leaf, {"not": {"any": [same, leaf]}}]}) == (
        "(header if length over 3 and not (one param whose name equals 'a' or header if length over 3))"
    )


def test_a_long_one_has_a_line_for_each_part() -> None:
    leaf = {"field": "header", "name": "if", "test": "length", "over": 3}
    many = {"field": "extension", "test": "equals", "value": [f"name{number}" for number in range(12)]}
    assert list(outline({"all": [leaf, leaf]})) == ["header if length over 3 and header if length over 3"]
    assert list(outline({"all": [leaf, {"not": {"any": [leaf, many]}}]}))[:5] == [
        "all of",
        "  header if length over 3",
        "  not",
        "    any of",
        "      header if length over 3",
    ]
    assert list(outline(many))[:2] == ["extension equals 'name0'", "  or 'name1'"]
    assert len(list(outline(many))) == 12
