"""How is a command told which configuration it is about? By `--config FILE`, or by STOPGAP_CONFIG."""

from collections.abc import Callable
from typing import Any

import click


def config_option(text: str, required: bool = False) -> Callable[[Any], Any]:
    """The option, given to the command as `file`; `text` says what the configuration is for."""
    return click.option(
        "--config", "-c", "file", envvar="STOPGAP_CONFIG", metavar="FILE", required=required, help=text
    )
