"""How does the gate give up being root?

Root is needed to listen below port 1024, and for nothing else. The groups go first, so that a Unix socket
for the admin interface belongs to the group; the user goes when every socket is bound, before a worker is
started, a file is opened for writing or a byte of a client is read. From then on everything is done with
the rights of that user, at the start as at every reload: what can be read once can be read again.

Neither the supervisor nor a worker can ever gain rights by running a program (PR_SET_NO_NEW_PRIVS).
"""

import os
from pathlib import Path

from stopgap.config import Identity
from stopgap.gate.sockets import StartError

PR_SET_NO_NEW_PRIVS = 38
"""prctl(2); there is no other way to it from Python than ctypes."""


def join(identity: Identity | None) -> None:
    """Take the groups, still as root. Raises `StartError`."""
    if identity is not None and os.geteuid() == 0:
        try:
            os.setgroups(identity.groups)
            os.setgid(identity.gid)
        except OSError as error:
            raise StartError(f"group: cannot become {identity.group}: {error.strerror}") from None


def leave(identity: Identity | None) -> str:
    """Be root no more, for good; a warning when that is not what happens, else "". Raises `StartError`."""
    _gain_nothing()
    if os.geteuid() != 0:
        ignored = identity is not None and os.geteuid() != identity.uid
        return "user: is ignored: only root can become another user" if ignored else ""
    if identity is None:
        return "this runs as root; set `user`, and it becomes that user once its ports are bound"
    try:
        os.setuid(identity.uid)
    except OSError as error:
        raise StartError(f"user: cannot become {identity.user}: {error.strerror}") from None
    if os.getresuid() != (identity.uid,) * 3 or os.getresgid() != (identity.gid,) * 3:
        raise StartError(f"user: something of root is left after becoming {identity.user}")
    return ""


def hint(identity: Identity | None) -> tuple[str, ...]:
    """A line under what cannot be read after `leave`: whose rights were not enough."""
    mine = identity is not None and os.geteuid() == identity.uid
    return (f'read as user "{identity.user}", as every reload would be',) if identity and mine else ()


def _gain_nothing() -> None:
    """Set no_new_privs, unless systemd or a container has; workers inherit it. Raises `StartError`."""
    if "NoNewPrivs:\t1" in Path("/proc/self/status").read_text("ascii", "replace"):
        return
    import ctypes  # not under a unit that forbids writable code, where it is set already

    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0):
        raise StartError(f"no_new_privs cannot be set: {os.strerror(ctypes.get_errno())}")
