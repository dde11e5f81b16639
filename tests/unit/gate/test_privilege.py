"""Does a process that has left root keep nothing of it, and say so when it could not leave?

Each case is a process of its own, which prints what it has become: there is no way back.
"""

import os
import subprocess
import sys

import pytest

BEGIN = """
import os
from stopgap.config import Identity
from stopgap.gate import privilege
from stopgap.gate.sockets import StartError
nobody = Identity(user="nobody", group="nogroup", uid=65534, gid=65534, groups=(65534,))
def told(name):
    return next(line.split()[1] for line in open("/proc/self/status") if line.startswith(name))
"""


def run(*lines: str) -> list[str]:
    """What such a process prints."""
    script = BEGIN + "\n".join(lines)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_everything_of_root_is_gone() -> None:
    if os.geteuid() != 0:  # there is nothing to leave
        return
    assert run(
        "privilege.join(nobody)",
        "print(os.getgroups(), os.getresgid(), os.getuid())",
        "print(repr(privilege.leave(nobody)))",
        "print(os.getresuid(), told('CapEff'), told('CapPrm'), told('NoNewPrivs'))",
        "for back in (lambda: os.setuid(0), lambda: os.setgid(0), lambda: os.setgroups([0])):",
        "    try: back()",
        "    except PermissionError: print('no')",
        "print(privilege.hint(nobody), privilege.hint(None))",
    ) == [
        "[65534] (65534, 65534, 65534) 0",
        "''",
        f"(65534, 65534, 65534) {0:016x} {0:016x} 1",
        "no",
        "no",
        "no",
        "('read as user \"nobody\", as every reload would be',) ()",
    ]


def test_root_that_stays_is_told() -> None:
    said = run("print(privilege.leave(None))", "print(told('NoNewPrivs'), privilege.hint(nobody))")
    root = "this runs as root; set `user`, and it becomes that user once its ports are bound"
    assert said == [root if os.geteuid() == 0 else "", "1 ()"]


@pytest.mark.parametrize("call", ["setgid", "setuid"])
def test_a_kernel_that_says_no(call: str) -> None:
    said = run(
        "os.geteuid = lambda: 0",
        "os.setgroups = lambda groups: None",
        "def no(number): raise PermissionError(1, 'Operation not permitted')",
        "os.setgid = os.setuid = lambda number: None",
        f"os.{call} = no",
        "try:",
        "    privilege.join(nobody); privilege.leave(nobody)",
        "except StartError as error: print(error)",
    )
    who = {"setgid": "group: cannot become nogroup", "setuid": "user: cannot become nobody"}
    assert said == [f"{who[call]}: Operation not permitted"]


def test_a_kernel_that_only_says_yes() -> None:
    said = run(
        "os.geteuid = lambda: 0",
        "os.setgroups = os.setgid = os.setuid = lambda number: None",
        "try:",
        "    privilege.join(nobody); privilege.leave(nobody)",
        "except StartError as error: print(error)",
    )
    assert said == ["user: something of root is left after becoming nobody"]
