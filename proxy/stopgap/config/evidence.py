"""What does a site keep of its requests as evidence?

Nothing, unless it has a table `[site.evidence]`; an empty one has every default.
"""

import re

from stopgap.config.checks import At, listed
from stopgap.config.log import size
from stopgap.config.model import Config, Evidence, EvidenceText

SMALLEST, LARGEST = 1 << 20, 1 << 40
"""Bytes of the flows of one site."""
LARGEST_BODY = 1 << 20
SHORTEST_NAME = 3
_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")


def homeless(config: Config) -> list[str]:
    """What is wrong with sites that keep evidence where there is no state folder; one line each."""
    return [
        f"{config.where('site', number, 'evidence')}: site.evidence: needs a folder to keep it in; name one "
        'at the top of the file, such as state = "/var/lib/stopgap"'
        for number, site in enumerate(config.sites)
        if site.evidence is not None and not config.state
    ]


def keeping(text: EvidenceText, at: At) -> Evidence:
    """What the table says. Raises `ConfigError`."""
    if not 0 <= text.passes <= 1:
        raise (at / "passes").wrong(
            f"is a share between 0 (none) and 1 (all), such as 0.01 for one in a hundred, not {text.passes:g}"
        )
    names = []
    for name in listed(text.redact):
        letters = sum(char.isalnum() for char in name)
        if not _NAME.fullmatch(name) or letters < SHORTEST_NAME:
            raise (at / "redact").wrong(
                f'"{name}" is no name of a header with at least {SHORTEST_NAME} letters or digits'
            )
        names.append(name.lower())
    return Evidence(
        bytes=size(text.bytes, at / "bytes", SMALLEST, LARGEST),
        passes=float(text.passes),
        body=size(text.body, at / "body", 0, LARGEST_BODY),
        redact=tuple(dict.fromkeys(names)),
    )
