"""Is the admin address open to this machine only, unless there is a token that only its readers know?"""

from pathlib import Path

import pytest

from stopgap import config
from stopgap.config import Address, access
from stopgap.errors import InputError

TOKEN = "0123456789abcdef"
SITE = '\n[[site]]\nname = "s"\norigins = "http://192.0.2.1"\n'


def write(folder: Path, text: str, token: str = TOKEN + "\n", mode: int = 0o640) -> str:
    (folder / "token").write_text(token)
    (folder / "token").chmod(mode)
    (folder / "stopgap.toml").write_text(text + SITE)
    return str(folder / "stopgap.toml")


@pytest.mark.parametrize(
    ("admin", "alone"),
    [
        ("127.0.0.1:9901", True),
        ("127.8.9.1:9901", True),
        ("[::1]:9901", True),
        ("localhost:9901", True),
        ("/run/stopgap/admin.sock", True),
        ("off", True),
        (":9901", False),
        ("0.0.0.0:9901", False),
        ("[::]:9901", False),
        ("192.0.2.7:9901", False),
        ("gate.example:9901", False),
        ("localhost.example:9901", False),
    ],
)
def test_an_address_that_others_reach_needs_a_token(tmp_path: Path, admin: str, alone: bool) -> None:
    file = write(tmp_path, f'workers = 1\nadmin = "{admin}"\nadmin_token_file = "token"')
    assert config.load(file).admin_token_file == str(tmp_path / "token")
    file = write(tmp_path, f'workers = 1\nadmin = "{admin}"')
    if alone:
        assert config.load(file).admin_token_file == ""
        return
    with pytest.raises(InputError) as caught:
        config.load(file)
    assert str(caught.value) == (
        f'{file}:2: admin: "{admin}" is open to other machines and needs a token: name its file with '
        "admin_token_file, or choose a loopback address or a Unix socket"
    )


@pytest.mark.parametrize(
    ("token", "mode", "said"),
    [
        (TOKEN, 0o644, "is open to every user of this machine; chmod o-rwx "),
        (TOKEN, 0o602, "is open to every user of this machine; chmod o-rwx "),
        ("", 0o600, "must hold one token, 16 to 1024 letters, digits"),
        ("short", 0o600, "must hold one token, 16 to 1024 letters, digits"),
        ("x" * 1025, 0o600, "must hold one token, 16 to 1024 letters, digits"),
        ("two words of a token", 0o600, "must hold one token, 16 to 1024 letters, digits"),
        (f"{TOKEN}\n{TOKEN}\n", 0o600, "must hold one token, 16 to 1024 letters, digits"),
        (f"{TOKEN}\x1b", 0o600, "must hold one token, 16 to 1024 letters, digits"),
    ],
)
def test_a_token_that_is_no_secret(tmp_path: Path, token: str, mode: int, said: str) -> None:
    file = write(tmp_path, 'admin_token_file = "token"', token, mode)
    with pytest.raises(InputError) as caught:
        config.load(file)
    assert str(caught.value).startswith(f"{file}:1: admin_token_file: {tmp_path}/token: {said}")
    assert token == "" or token not in str(caught.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    file = write(tmp_path, 'admin_token_file = "none"')
    with pytest.raises(InputError, match="none: cannot be read: No such file or directory"):
        config.load(file)
    with pytest.raises(InputError, match=r"^--admin-token-file: none: cannot be read"):
        config.load(None, {"origins": ["http://192.0.2.1"], "admin_token_file": "none"})


def test_what_it_holds(tmp_path: Path) -> None:
    file = write(tmp_path, 'admin = "0.0.0.0:99"\nadmin_token_file = "token"', f"{TOKEN}\r\n")
    assert access.of(config.load(file)) == TOKEN
    assert access.told(file) == (Address("0.0.0.0", 99), TOKEN)


def test_address_and_token_are_told_of_a_file_that_is_wrong_elsewhere(tmp_path: Path) -> None:
    file = write(tmp_path, 'mistake = 1\nadmin_token_file = "token"')
    assert access.told(file) == (Address("127.0.0.1", 9901), TOKEN)
    for wrong in ('admin = "off"', "admin = 1", 'admin = "x"'):
        with pytest.raises(InputError, match="admin"):
            access.told(write(tmp_path, wrong))
