"""Is a line for people told, and lost without harm where it finds no room?"""

import io
import sys

import pytest

from stopgap.say import say


class Full(io.StringIO):
    def write(self, text: str) -> int:
        raise OSError(28, "No space left on device")


def test_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    say("it is so")
    assert capsys.readouterr().err == "stopgap: it is so\n"


def test_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", Full())
    say("it is so")
