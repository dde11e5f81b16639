"""Are texts noted as they are read, and read from elsewhere while they are replaced?"""

from pathlib import Path

import pytest

from stopgap import texts, tomlfile
from stopgap.errors import InputError


def test_what_is_read_is_noted(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(b"a = 1\n")
    with texts.noted() as notes:
        tomlfile.read(str(file))
    assert notes == {str(file): b"a = 1\n"}
    tomlfile.read(str(file))
    assert len(notes) == 1


def test_texts_stand_for_files(tmp_path: Path) -> None:
    file, other = tmp_path / "a.toml", tmp_path / "b.toml"
    file.write_bytes(b"a = 1\n")
    other.write_bytes(b"b = 1\n")
    with texts.replaced({str(file): b"a = 2\n"}):
        assert tomlfile.read(str(file)).data == {"a": 2}
        assert tomlfile.read(str(other)).data == {"b": 1}
        assert texts.listed(str(tmp_path)) == [str(file), str(other)]
    with texts.replaced({str(file): b"a = 2\n"}, alone=True):
        with pytest.raises(InputError, match=r"b\.toml: cannot be read: was not kept"):
            tomlfile.read(str(other))
        assert texts.listed(str(tmp_path)) == [str(file)]
        assert texts.listed(str(tmp_path / "sub")) == []
        assert texts.listed(str(file)) is None
    assert tomlfile.read(str(file)).data == {"a": 1}


def test_what_is_replaced_can_be_noted(tmp_path: Path) -> None:
    with texts.replaced({"x.toml": b"a = 2\n"}, alone=True), texts.noted() as notes:
        tomlfile.read("x.toml")
    assert notes == {"x.toml": b"a = 2\n"}
