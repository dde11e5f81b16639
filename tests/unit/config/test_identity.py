"""Does `user` name somebody of this machine who may do less than root?"""

import grp
import pwd

import pytest

from stopgap import config
from stopgap.errors import InputError

ORIGIN = {"origins": ["http://192.0.2.1"]}


def test_a_user_with_its_groups() -> None:
    nobody = pwd.getpwnam("nobody")
    read = config.load(None, {**ORIGIN, "user": "nobody"}).identity
    assert read is not None
    assert (read.user, read.uid, read.gid) == ("nobody", nobody.pw_uid, nobody.pw_gid)
    assert read.groups == (nobody.pw_gid,)
    daemon = grp.getgrnam("daemon")
    other = config.load(None, {**ORIGIN, "user": "nobody", "group": "daemon"}).identity
    assert other is not None
    assert (other.group, other.gid) == ("daemon", daemon.gr_gid)
    assert config.load(None, ORIGIN).identity is None


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        ({"user": "no-such"}, '--user: this machine has no user "no-such"; create one: useradd'),
        ({"user": "root"}, '--user: "root" is root; name a user that may do less'),
        ({"user": "nobody", "group": "no-such"}, '--group: this machine has no group "no-such"'),
        ({"user": "nobody", "group": "root"}, '--group: "root" is the group of root'),
        ({"group": "daemon"}, '--group: goes with "user" only; name the user, too'),
    ],
)
def test_nobody_that_could_be_become(flags: dict[str, str], said: str) -> None:
    with pytest.raises(InputError) as caught:
        config.load(None, {**ORIGIN, **flags})
    assert str(caught.value).startswith(said)
