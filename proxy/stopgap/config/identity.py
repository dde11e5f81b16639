"""As which user and group is the gate to run, once its ports are bound?"""

import grp
import os
import pwd

from stopgap.config.checks import At
from stopgap.config.model import Identity


def found(user: str | None, group: str | None, at: At) -> Identity | None:
    """What `user` and `group` name; None when they are not given. Raises `ConfigError`."""
    if user is None:
        if group is not None:
            raise (at / "group").wrong('goes with "user" only; name the user, too')
        return None
    try:
        entry = pwd.getpwnam(user)
    except (KeyError, ValueError):
        raise (at / "user").wrong(
            f'this machine has no user "{user}"; create one: useradd --system --no-create-home {user}'
        ) from None
    if entry.pw_uid == 0:
        raise (at / "user").wrong(f'"{user}" is root; name a user that may do less')
    try:
        one = grp.getgrgid(entry.pw_gid) if group is None else grp.getgrnam(group)
    except (KeyError, ValueError):
        raise (at / "group").wrong(f'this machine has no group "{group or entry.pw_gid}"') from None
    groups = tuple(sorted(os.getgrouplist(user, one.gr_gid)))
    if one.gr_gid == 0:
        raise (at / "group").wrong(f'"{one.gr_name}" is the group of root; name one that may do less')
    return Identity(user=user, group=one.gr_name, uid=entry.pw_uid, gid=one.gr_gid, groups=groups)
