"""Does what is written read back as what it was?"""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from stopgap.ruleset.formats.model import Imported
from stopgap.ruleset.formats.toml import value, written

ANY = st.recursive(
    st.one_of(st.text(), st.booleans(), st.integers(-(2**40), 2**40)),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(ANY)
def test_every_value_reads_back(item: object) -> None:
    assert tomllib.loads(f"x = {value(item)}")["x"] == item


def test_a_configuration() -> None:
    site = {
        "name": "a",
        "origins": [],
        "limits": {"body": 1},
        "exception": [{"rule": "x", "reason": "y"}, {"rule": "z", "reason": "w"}],
        "mode": "detect",
    }
    rules = (
        {"id": "x", "match": {"header": {"if": {"contains": ["a"] * 60}}}, "block": ["GET /" + "a" * 99] * 2},
    )
    text = written(Imported(rules=rules, site=site, title="unused"))
    assert tomllib.loads(text) == {"site": [site], "rule": list(rules)}
    assert 'origins = []  # the server to protect, such as "http://192.0.2.10"\n' in text
    assert "block = [\n    " in text


def test_a_pack_has_its_title() -> None:
    rules = ({"id": "x", "block": ["POST /a HTTP/1.0\nHost: h\n\nbody"]},)
    text = written(Imported(rules=rules, title='Rules of "x"'))
    assert tomllib.loads(text) == {"title": 'Rules of "x"', "rule": list(rules)}
