"""Does a page that is opened later see what was counted before, and is what is kept bounded?"""

import pytest

from stopgap import _core
from stopgap.admin import series
from stopgap.admin.metrics import ACTIONS
from stopgap.admin.series import COARSE, FINE, NETWORKS, OTHERS, Series, network
from tests.unit.admin.source import NAME, Source, line

REFUSED = [name for name, *_ in _core.reasons()].index("extension-denied") * 2


@pytest.fixture
def source() -> Source:
    return Source()


def columns(made: Series, span: str = "hour") -> dict[tuple[str, str, str], list[int]]:
    return {tuple(column["of"]): column["counts"] for column in made.told(span)["columns"]}


def test_only_what_was_added_since(source: Source) -> None:
    source.count("requests", 1, 40)
    made = Series(source)
    made.take(1000.0)
    source.count("requests", 1, 3)
    source.count("reasons", REFUSED, 3)
    source.count("rules", source.counters.registry.rules["ida-idq"] * len(ACTIONS), 3)
    source.count("connections_opened", 0, 2)
    made.take(1005.0)
    made.take(1010.0)
    told = made.told("hour")
    assert (told["step"], told["times"], told["open"]) == (5, [1000, 1005, 1010], [0, 2, 2])
    assert columns(made) == {
        ("requests", NAME, "refused"): [40, 3, 0],
        ("reason", "extension-denied", "refused"): [0, 3, 0],
        ("rule", "ida-idq", "refused"): [0, 3, 0],
    }


def test_minutes_are_sums(source: Source) -> None:
    made = Series(source)
    for second in range(0, 180, 5):
        source.count("requests", 0)
        source.writer.put([line(second, client="192.0.2.9")])
        made.take(6000.0 + second)
    told = made.told("day")
    assert (told["step"], told["times"]) == (60, [6055, 6115, 6175])
    assert columns(made, "day") == {("requests", NAME, "passed"): [12, 12, 12]}
    assert told["networks"] == made.told("hour")["networks"] == {"192.0.2.0/24": 36}


def test_rings_are_bounded(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Series(source)
    monkeypatch.setattr(series, "counts", lambda _: {})
    for number in range(FINE * 14):
        made.take(number * 5.0)
    assert len(made.told("hour")["times"]) == FINE
    assert FINE < len(made.told("day")["times"]) <= COARSE + 1


def test_networks_are_counted_and_the_busiest_named(source: Source) -> None:
    """A summary counts for as many requests as it says."""
    made = Series(source)
    source.writer.put([line(1, client="192.0.2.1"), line(1, client="192.0.2.1", count=8)])
    source.writer.put(
        [line(2, client="2001:db8:1:2::3"), line(3, client="::ffff:198.51.100.1"), line(4, client="")]
    )
    made.take(1.0)
    wanted = {"192.0.2.0/24": 9, "2001:db8:1:2::/64": 1, "198.51.100.0/24": 1}
    assert made.told("hour")["networks"] == wanted
    source.writer.put([line(number, client=f"10.{number}.0.1") for number in range(200)])
    made.take(6.0)
    networks = made.told("hour")["networks"]
    assert len(networks) == NETWORKS + 1
    assert networks["192.0.2.0/24"] == 9
    assert sum(networks.values()) == 211
    assert networks[OTHERS] == 211 - sum(count for name, count in networks.items() if name != OTHERS)


def test_what_is_no_address_has_no_network() -> None:
    assert network("fe80::1%eth0") == "fe80::/64"
    assert network("") == network("unix") == ""


def test_time_to_an_answer_by_bucket(source: Source) -> None:
    made = Series(source)
    source.count("request_seconds", 3, 7)
    made.take(1.0)
    assert columns(made) == {("seconds", "3", ""): [7]}
    assert len(made.told("hour")["bounds"]) > 3


def test_the_thread_samples_and_ends(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Series(source)
    made.start()
    made.close()
    made._thread.join(30)
    assert not made._thread.is_alive()
