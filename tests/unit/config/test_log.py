"""Are the keys that say how events are told read as written, and mistakes told with line and cure?"""

from pathlib import Path

import pytest

from stopgap import config
from stopgap.config.model import FORMATS, Address, Rotation, Syslog, Telling
from stopgap.errors import InputError
from stopgap.events.formats import FORMATS as WORDED

SITE = '[[site]]\nname = "s"\norigins = "http://192.0.2.1"\n'
LOG = 'log = "/var/log/記録/events.log"\n'


def telling(tmp_path: Path, text: str) -> Telling:
    file = tmp_path / "stopgap.toml"
    file.write_text(text + SITE, "utf-8")
    return config.load(str(file)).telling


def test_what_is_not_written() -> None:
    assert config.load(None, {"origins": ["http://192.0.2.1"]}).telling == Telling(
        "ecs", None, None, False, 100_000
    )


def test_every_format_that_can_be_chosen_has_words() -> None:
    assert tuple(WORDED) == FORMATS


def test_everything_written(tmp_path: Path) -> None:
    keys = 'log_format = "ocsf"\nlog_rotate = { size = "1 MiB", keep = 3 }\nsyslog = "/dev/log"\n'
    wanted = Telling("ocsf", Rotation(1 << 20, 3), Syslog("unix", Address("", 0, "/dev/log")), True, 5_000)
    more = "mask_clients = true\nremember_events = 5000\n"
    assert telling(tmp_path, f"{LOG}{keys}{more}") == wanted


@pytest.mark.parametrize(
    ("written", "rotation"),
    [
        ("{}", Rotation(100 << 20, 5)),
        ("{ size = 65536 }", Rotation(65536, 5)),
        ('{ size = "64KiB", keep = 1 }', Rotation(65536, 1)),
        ('{ size = "2 GiB", keep = 999 }', Rotation(2 << 30, 999)),
    ],
)
def test_sizes(tmp_path: Path, written: str, rotation: Rotation) -> None:
    assert telling(tmp_path, f"{LOG}log_rotate = {written}\n").rotation == rotation


@pytest.mark.parametrize(
    ("written", "kind", "address", "shown"),
    [
        ("udp://192.0.2.1", "udp", Address("192.0.2.1", 514), "udp://192.0.2.1:514"),
        ("tcp://logs.example", "tcp", Address("logs.example", 601), "tcp://logs.example:601"),
        ("tcp://[2001:db8::1]:6514/", "tcp", Address("2001:db8::1", 6514), "tcp://[2001:db8::1]:6514"),
        ("unix:/run/記録", "unix", Address("", 0, "/run/記録"), "unix:/run/記録"),
        ("/dev/log", "unix", Address("", 0, "/dev/log"), "unix:/dev/log"),
    ],
)
def test_servers(tmp_path: Path, written: str, kind: str, address: Address, shown: str) -> None:
    server = telling(tmp_path, f'syslog = "{written}"\n').syslog
    assert server == Syslog(kind, address)
    assert str(server) == shown


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ('log_format = "esc"\n', 1, 'log_format: "esc" is unknown; did you mean "ecs"?; choose one of ecs,'),
        ("log_format = 1\n", 1, "log_format: must be text"),
        ('log_rotate = { size = "1 MiB" }\n', 1, "log_rotate: goes with a file only; name it, such as log ="),
        (
            f'{LOG}log_rotate = {{ size = "1 MB" }}\n',
            2,
            'log_rotate.size: "1 MB" is not a size; write a number',
        ),
        (f'{LOG}log_rotate = {{ size = "1 KiB" }}\n', 2, 'log_rotate.size: must be between "64 KiB" and'),
        (f"{LOG}log_rotate = {{ size = -1 }}\n", 2, 'log_rotate.size: must be between "64 KiB" and'),
        (f"{LOG}\n[log_rotate]\nkeep = 0\n", 4, "log_rotate.keep: must be between 1 and 999"),
        (f"{LOG}log_rotate = {{ keeps = 2 }}\n", 2, 'log_rotate.keeps: unknown key; did you mean "keep"?'),
        (
            '\nsyslog = "192.0.2.1"\n',
            2,
            'syslog: "192.0.2.1" is not where a syslog server listens; write "udp:',
        ),
        ('syslog = ""\n', 1, "is not where a syslog server listens"),
        ('syslog = "tls://192.0.2.1"\n', 1, "is not where a syslog server listens"),
        ('syslog = "udp://"\n', 1, "is not where a syslog server listens"),
        ('syslog = "udp://192.0.2.1:0"\n', 1, "is not where a syslog server listens"),
        ('syslog = "udp://192.0.2.1:99999"\n', 1, "is not where a syslog server listens"),
        ('syslog = "udp://a@192.0.2.1"\n', 1, "is not where a syslog server listens"),
        ('syslog = "tcp://192.0.2.1/x"\n', 1, "is not where a syslog server listens"),
        ('mask_clients = "yes"\n', 1, "mask_clients: must be true or false"),
        ("remember_events = 999\n", 1, "remember_events: must be between 1000 and 1000000, not 999"),
        ("remember_events = 1000001\n", 1, "remember_events: must be between 1000 and 1000000"),
    ],
)
def test_mistakes(tmp_path: Path, text: str, line: int, problem: str) -> None:
    with pytest.raises(InputError) as caught:
        telling(tmp_path, text)
    (told,) = caught.value.problems
    assert told.startswith(f"{tmp_path}/stopgap.toml:{line}: ")
    assert problem in told
