"""Is everything that block mode would refuse found, by what an exception would name, whatever the mode?"""

from pathlib import Path

import msgspec
import pytest

from stopgap.errors import ConfigError
from stopgap.forensics.caught import KEPT, Caught
from stopgap.forensics.corpus import Heard, Sent
from stopgap.forensics.sources import Account
from stopgap.forensics.tuning import bench_of
from tests.unit.events.test_find import EVENT
from tests.unit.forensics import tunable


def test_groups(tmp_path: Path) -> None:
    lines = [
        "10.0.0.1 GET /a.asp q=1 200",
        "10.0.0.1 GET /a.asp q=select+1 200",
        "10.0.0.2 GET /a.asp q=select+2 200",
        "10.0.0.2 GET /a.asp q=select+2 200",
        f"10.0.0.3 GET /b.asp q={'x' * 2500} 200",
        tunable.WORM,
    ]
    _, found, _ = tunable.caught(tmp_path, lines)
    told = {(name, path): group for (_, name, path), group in found.groups.items()}
    assert set(told) == {
        ("words", "/a.asp"),
        ("target-too-long", "/b.asp"),
        ("code-red-1", "/default.ida"),
    }
    words = told["words", "/a.asp"]
    assert (words.requests, words.clients, len(words.days)) == (3, {"10.0.0.1", "10.0.0.2"}, 3)
    assert [one.where.rpartition(":")[2] for one in words.examples.values()] == ["3", "4"]
    assert found.marked == {"192.0.2.66"}
    assert (found.requests, found.passed) == (6, 1)
    assert found.sizes[0].requests == 2  # what passes, and what only a limit catches


def test_bounds(tmp_path: Path) -> None:
    lines = [f"10.0.0.1 GET /a.asp q=select+{number} 200" for number in range(KEPT + 9)]
    _, found, _ = tunable.caught(tmp_path, lines)
    (group,) = found.groups.values()
    assert (group.requests, len(group.examples)) == (KEPT + 9, KEPT)


def test_sites(tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    other = tunable.SITE.partition("[[rule]]")[0].replace("会計", "b").replace("kaikei", "b")
    file.write_text(other + tunable.SITE, "utf-8")
    bench, today = bench_of(str(file), tunable.TOLD)
    found = Caught(today, None, bench.bad)
    (plain,) = tunable.corpus(tmp_path, ["10.0.0.1 GET /x.ida - 200"]).sent(Account(), Heard())
    with pytest.raises(
        ConfigError, match=r"ex.log:2: the file names no host, and there are 2 sites; say which"
    ):
        found.site_of(plain)
    plain = plain._replace(told=plain.told._replace(named=True))
    assert plain.told.request.endswith(b"Host: kaikei.example\r\n\r\n")
    assert found.site_of(plain) == 1
    assert found.site_of(plain._replace(site="b")) == 0
    strange = plain.told._replace(request=b"GET / HTTP/1.1\r\nHost: nowhere\r\n\r\n")
    found.take([plain._replace(told=strange)])
    assert found.untold == 1
    assert Caught(today, 0, bench.bad).site_of(plain) == 0


def test_an_event_that_nothing_catches_any_more(tmp_path: Path) -> None:
    _, found, _ = tunable.caught(tmp_path, [])
    (plain,) = tunable.corpus(tmp_path, ["10.0.0.1 GET /a.asp - 200"]).sent(Account(), Heard())
    told: Sent = plain._replace(event=msgspec.structs.replace(EVENT), times=3)
    found.take([told])
    assert (found.untold, found.groups) == (3, {})


def test_a_request_that_several_rules_catch_counts_once(tmp_path: Path) -> None:
    """In detect mode each of them tells of it; in block mode one does, and it need not be the first here."""
    _, found, _ = tunable.caught(tmp_path, [])
    (plain,) = tunable.corpus(tmp_path, ["10.0.0.1 GET /x.ida q=select 200"]).sent(Account(), Heard())
    _, causes = found._causes(plain.told.request, 0)
    assert len(causes) > 1
    for action, requests in (("detected", 1), ("refused", len(causes))):
        _, found, _ = tunable.caught(tmp_path, [])
        found.take(
            plain._replace(
                event=msgspec.structs.replace(
                    EVENT, event_action=action, reason=cause.reason, rule_id=cause.rule or ""
                )
            )
            for cause in causes
        )
        assert found.requests == requests
