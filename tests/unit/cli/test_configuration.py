"""Does a command get its configuration from the flag, and else from the environment?"""

import click
import pytest
from click.testing import CliRunner

from stopgap.cli.configuration import config_option


@click.command()
@config_option("What to show.", required=True)
def show(file: str) -> None:
    click.echo(file)


@pytest.mark.parametrize(
    ("flags", "environment", "said"),
    [
        (("--config", "a.toml"), {}, "a.toml"),
        (("-c", "a.toml"), {"STOPGAP_CONFIG": "b.toml"}, "a.toml"),
        ((), {"STOPGAP_CONFIG": "b.toml"}, "b.toml"),
    ],
)
def test_where_it_comes_from(flags: tuple[str, ...], environment: dict[str, str], said: str) -> None:
    done = CliRunner().invoke(show, flags, env=environment)
    assert (done.exit_code, done.output) == (0, said + "\n")


def test_without_it() -> None:
    done = CliRunner().invoke(show, env={"STOPGAP_CONFIG": None})
    assert done.exit_code == 2 and "--config" in done.output
