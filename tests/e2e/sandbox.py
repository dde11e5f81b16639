"""What does the systemd unit forbid the gate? `python -m tests.e2e.sandbox COMMAND...` runs a command so.

It reads `SystemCallFilter` and `MemoryDenyWriteExecute` of the unit and does with libseccomp what systemd
does, only harder: a system call that the unit refuses ends the process. The sets that the unit names are in
`syscalls.txt`, from `systemd-analyze syscall-filter` of systemd 252, sets within sets expanded.
"""

import ctypes
import os
import re
import sys
from pathlib import Path

HERE = Path(__file__).parent
UNIT = HERE.parents[1] / "deploy" / "systemd" / "stopgap.service"
ALLOW, KILL = 0x7FFF0000, 0x80000000
MASKED_EQ = 7
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000
WRITABLE_CODE = (
    ("mmap", 2, PROT_WRITE | PROT_EXEC),
    ("mprotect", 2, PROT_EXEC),
    ("pkey_mprotect", 2, PROT_EXEC),
    ("shmat", 2, SHM_EXEC),
)
"""Calls whose argument (counted from 0) must not have these bits, as systemd.exec(5) has it."""


class Comparison(ctypes.Structure):
    """struct scmp_arg_cmp of seccomp.h."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def sets() -> dict[str, set[str]]:
    """The system calls of each set."""
    lines = (HERE / "syscalls.txt").read_text("ascii").splitlines()
    return {name: set(calls.split()) for name, _, calls in (line.partition(":") for line in lines)}


def allowed() -> set[str]:
    """The calls that the unit leaves, by its lines in their order."""
    known = sets()
    left: set[str] = set()
    for words in re.findall(r"^SystemCallFilter=(.*)$", UNIT.read_text("utf-8"), re.M):
        calls = set().union(*(known.get(word.lstrip("~"), {word.lstrip("~")}) for word in words.split()))
        left = left - calls if words.startswith("~") else left | calls
    assert left, UNIT
    return left


def confine() -> None:
    """Put this process, and what it will run, under the filters."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = (ctypes.c_uint32,)
    library.seccomp_load.argtypes = (ctypes.c_void_p,)
    library.seccomp_rule_add_array.argtypes = (
        *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint),
        ctypes.POINTER(Comparison),
    )
    assert "MemoryDenyWriteExecute=yes" in UNIT.read_text("utf-8")
    code = library.seccomp_init(ALLOW)
    for name, arg, bits in WRITABLE_CODE:
        number = library.seccomp_syscall_resolve_name(name.encode())
        one = Comparison(arg, MASKED_EQ, bits, bits)
        assert library.seccomp_rule_add_array(code, KILL, number, 1, one) == 0, name
    calls = library.seccomp_init(KILL)
    for name in sorted(allowed()):
        number = library.seccomp_syscall_resolve_name(name.encode())
        if number >= 0:  # others are of other machines
            assert library.seccomp_rule_add_array(calls, ALLOW, number, 0, None) == 0, name
    for filter_ in (code, calls):
        assert library.seccomp_load(filter_) == 0


if __name__ == "__main__":
    confine()
    os.execv(sys.argv[1], sys.argv[1:])  # noqa: S606 (that is what it is for)
