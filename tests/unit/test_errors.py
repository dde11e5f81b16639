"""Do errors keep their lines, and do hints name what is near?"""

import pytest

from stopgap.errors import ConfigError, InputError, RuleError, nearest


def test_problems_are_lines() -> None:
    error = RuleError("a: one", "b: two")
    assert error.problems == ("a: one", "b: two")
    assert str(error) == "a: one\nb: two"
    assert isinstance(error, InputError)
    assert isinstance(ConfigError("x"), InputError)


def test_a_problem_stays_one_line() -> None:
    assert str(ConfigError("a\nb\x1b[31m 会計\udc80")) == r"a\nb\x1b[31m 会計\udc80"


@pytest.mark.parametrize(
    ("word", "known", "hint"),
    [
        ("sever", ["server", "site"], '; did you mean "server"?'),
        ("zzz", ["server", "site"], "; known: server, site"),
        ("zzz", [str(n) for n in range(100)], ""),
        ("zzz", [], ""),
    ],
)
def test_nearest(word: str, known: list[str], hint: str) -> None:
    assert nearest(word, known) == hint
