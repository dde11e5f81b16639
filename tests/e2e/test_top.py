"""Does `stopgap top` show a running gate in a terminal of 80 columns and 24 lines, and leave it as it was?"""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
import time
from collections.abc import Callable
from pathlib import Path

import pyte

from tests.e2e.client import ask, get
from tests.e2e.gate import ENVIRONMENT, PROGRAM, guarding
from tests.e2e.origins import Origin


class Terminal:
    """A terminal in which a program runs."""

    def __init__(self, *words: str) -> None:
        self._master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
        environment = {**ENVIRONMENT, "TERM": "xterm-256color", "LC_ALL": "C.UTF-8"}
        self.process = subprocess.Popen(
            words, stdin=slave, stdout=slave, stderr=slave, env=environment, start_new_session=True
        )
        os.close(slave)
        self._screen = pyte.Screen(80, 24)
        self._stream = pyte.ByteStream(self._screen)

    def press(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    def until(self, true: Callable[[], object]) -> None:
        """Draw what comes until something is true."""
        end = time.monotonic() + 60
        while not true():
            assert time.monotonic() < end, "\n".join(self.lines)
            if select.select([self._master], [], [], 0.1)[0]:
                try:
                    self._stream.feed(os.read(self._master, 65_536))
                except OSError:
                    code = self.process.wait(30)
                    assert true(), f"the program has ended: {code}\n" + "\n".join(self.lines)

    def sees(self, text: str) -> None:
        self.until(lambda: any(text in line for line in self.lines))

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


def test_a_gate_in_a_terminal(tmp_path: Path, origin: Origin) -> None:
    site = {"name": "会計", "origins": origin.url, "server": "iis5", "packs": ["code-red"]}
    with guarding(tmp_path, site) as gate:
        terminal = Terminal(PROGRAM, "top", "--admin", f"127.0.0.1:{gate.admin}", "--every", "0.5")
        try:
            terminal.sees("1 events  2 rules  3 reasons  4 clients  5 sites  6 origins")
            terminal.sees(" ready for ")
            assert ask(gate.port, get("/x.ida?a")).status == 404
            terminal.sees("GET /x.ida?a")
            assert len(terminal.lines) == 24
            terminal.press("2")
            terminal.sees(" ida-idq ")
            terminal.press("6")
            terminal.sees(f" {origin.url} ")
            terminal.press("1")
            terminal.sees("GET /x.ida?a")
            terminal.press("\r")
            terminal.sees("stopgap explain --event ")
            terminal.press("\x1b")
            terminal.sees("GET /x.ida?a")
            terminal.press("\x03")
            terminal.until(lambda: terminal.process.poll() is not None)
            assert terminal.process.wait(30) == 0
        finally:
            terminal.close()


def test_no_gate(tmp_path: Path) -> None:
    terminal = Terminal(PROGRAM, "top", "--admin", "127.0.0.1:1")
    try:
        terminal.sees("no gate answers on 127.0.0.1:1: Connection refused")
        assert terminal.process.wait(30) == 3
    finally:
        terminal.close()
