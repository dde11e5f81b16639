"""Do the keys about origins have sane defaults, and does an error say what would be right?"""

from typing import Any

import pytest

from stopgap import _core
from stopgap.config import Address, origins
from stopgap.config.checks import At
from stopgap.config.model import HealthText
from stopgap.errors import ConfigError
from stopgap.tomlfile import parse

AT = At(parse("a.toml", b"key = 1\n"), ("key",))
ONE = (Address("192.0.2.1", 80),)
TWO = (*ONE, Address("192.0.2.2", 80))


def test_connections_follow_the_server() -> None:
    usual = {server: origins.connections(None, server, 2, AT) for server in _core.servers()}
    assert usual == {
        **{"iis4": 256, "iis5": 256, "iis5.1": 10, "iis6": 1024, "iis7": 1024, "iis8": 1024},
        **{"iis10": 1024, "any": 256},
    }
    assert origins.connections(None, "iis5.1", 64, AT) == 64, "each worker has one"
    assert origins.connections(40, "iis5.1", 2, AT) == 40


@pytest.mark.parametrize("given", [0, 1, 65_537])
def test_connections_refused(given: int) -> None:
    with pytest.raises(ConfigError, match=r"^a\.toml:1: key: must be between 2 \(one for each"):
        origins.connections(given, "iis5", 2, AT)


def test_only_an_origin_that_has_others_is_out_by_default() -> None:
    assert origins.health(None, ONE, AT).failures == 0
    assert origins.health(None, TWO, AT).failures == 5
    assert origins.health(HealthText(failures=3), ONE, AT).failures == 3
    assert origins.health(HealthText(failures=0), TWO, AT).failures == 0


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"failures": -1}, r"key.failures: must be between 0 and 1000, not -1"),
        ({"slow_start": -1.0}, r"key.slow_start: must be between 0 and 3600, not -1"),
        ({"path": "/", "interval": 0.5}, r"key.interval: must be between 1 and 3600, not 0.5"),
        ({"path": "/", "timeout": 0}, r"key.timeout: must be between 0.1 and 3600, not 0"),
        ({"path": "/", "rise": 0}, r"key.rise: must be between 1 and 1000, not 0"),
        ({"path": "/", "fall": 0}, r"key.fall: must be between 1 and 1000, not 0"),
        ({"path": "/", "status": "600"}, r'key.status: "600" is no range of statuses; write "200-399"'),
        ({"path": "/", "status": "300-200"}, r'key.status: "300-200" is no range'),
        ({"path": "/", "status": [200, "x"]}, r'key.status: "x" is no range'),
        ({"path": "health"}, r'key.path: "health" must be a path in ASCII, such as "/health.asp"'),
        ({"path": "/a b"}, r'key.path: "/a b" must be a path in ASCII'),
        ({"interval": 9.0}, r"key.interval: is for probes; name what they ask"),
    ],
)
def test_health_refused(said: dict[str, Any], why: str) -> None:
    with pytest.raises(ConfigError, match=r"^a\.toml:1: " + why):
        origins.health(HealthText(**said), TWO, AT)


@pytest.mark.parametrize(
    ("said", "ranges"),
    [
        ("200-399", ((200, 399),)),
        (401, ((401, 401),)),
        (["200", 401, "300-302"], ((200, 200), (401, 401), (300, 302))),
    ],
)
def test_statuses(said: Any, ranges: Any) -> None:
    assert origins.health(HealthText(path="/", status=said), TWO, AT).status == ranges
