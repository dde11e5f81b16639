"""Does any input make the core raise? No bytes of either side may. The entry points are tests/fuzz."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.corpus import conversations
from tests.fuzz.targets import TARGETS

CORPUS = list(conversations())


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    """Bytes of a conversation that someone wrote, with pieces changed, doubled or gone."""
    data = bytearray(draw(st.sampled_from(CORPUS)))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        data[at : at + draw(st.integers(0, 6))] = draw(
            st.one_of(st.binary(max_size=6), st.just(bytes(data[at : at + 9])))
        )
    return bytes(data)


@pytest.mark.parametrize("name", TARGETS)
@given(data=st.one_of(st.binary(max_size=400), mutated()))
def test_no_input_raises(name: str, data: bytes) -> None:
    TARGETS[name](data)
