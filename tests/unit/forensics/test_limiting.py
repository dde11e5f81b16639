"""Do limits follow from what most clients send, never below what passes, and never from one client alone?"""

from pathlib import Path

import pytest

from stopgap.forensics.limiting import FLOORS, LEAST, limits
from stopgap.forensics.sources import EVERYTHING
from tests.unit.forensics import tunable

LONG = "GET /long/a.asp q={} 200".format


def proposed(
    folder: Path, lines: list[str], shows: frozenset[str] = EVERYTHING
) -> dict[str, tuple[int, int]]:
    bench, found, _ = tunable.caught(folder, lines)
    text, given, _ = limits(bench.read, bench.text, found, shows)
    assert (text != bench.text) == bool(given)
    return {one.key: (one.today, one.proposed) for one in given}


def test_a_limit_that_honest_clients_meet_is_raised(tmp_path: Path) -> None:
    lines = [f"10.0.0.{n % 9} GET /a/b.asp q=1 200" for n in range(LEAST)]
    lines += [f"10.0.1.{n} {LONG('x' * 2000)}" for n in range(9)]
    found = proposed(tmp_path, lines)
    assert found["query"] == (2000, 3100)  # "q=" and 2000 letters, and half of that
    assert found["segments"][1] == FLOORS["segments"]


def test_one_in_a_thousand_raises_nothing(tmp_path: Path) -> None:
    lines = [f"10.0.0.{n % 9} GET /a/b.asp q=1 200" for n in range(LEAST)]
    found = proposed(tmp_path, [*lines, f"10.0.1.1 {LONG('x' * 2000)}"])
    assert found["query"] == (2000, FLOORS["query"])


def test_nothing_that_passes_is_refused(tmp_path: Path) -> None:
    lines = [f"10.0.0.{n % 9} GET /a/b.asp q=1 200" for n in range(LEAST)]
    found = proposed(tmp_path, [*lines, f"10.0.1.1 {LONG('x' * 900)}"])
    assert found["query"] == (2000, 910)


def test_a_log_without_queries(tmp_path: Path) -> None:
    lines = [f"10.0.0.{n % 9} GET /a/b.asp - 200" for n in range(LEAST)]
    found = proposed(tmp_path, lines, EVERYTHING - {"query"})
    assert not {"query", "target", "escapes"} & found.keys()
    assert "path" in found


@pytest.mark.parametrize(
    ("clients", "wanted"), [(["10.0.0.1"], {}), (["10.0.0.1", "10.0.0.2"], {"query": (2000, 4100)})]
)
def test_few_requests(tmp_path: Path, clients: list[str], wanted: dict[str, tuple[int, int]]) -> None:
    """Of one client on one day nothing follows."""
    lines = [f"{client} {LONG('x' * 2700)}" for client in clients]
    found = proposed(tmp_path, lines)
    assert {key: value for key, value in found.items() if key == "query"} == wanted
