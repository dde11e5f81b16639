"""What do the tests of the whole program share? Origins, gates before them, and a certificate.

A gate takes about a second to start and to end, so most tests share one for their module. The program
is the one beside the interpreter that runs the tests.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import nginx as nginx_origin
from tests.e2e import origins
from tests.e2e.certificates import self_signed
from tests.e2e.nginx import Nginx
from tests.e2e.origins import Origin


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of the module."""
    return tmp_path_factory.mktemp("gate")


@pytest.fixture(scope="module")
def shared() -> Iterator[Origin]:
    """The module's recording origin."""
    with origins.running() as running:
        yield running


@pytest.fixture
def origin(shared: Origin) -> Iterator[Origin]:
    """The module's recording origin: nothing recorded, no connection open, and it echoes."""
    shared.hang_up()
    shared.forget()
    yield shared
    shared.script = origins.answering(origins.echo)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with nginx_origin.running(tmp_path_factory.mktemp("nginx") / "origin") as running:
        yield running


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """Paths of a certificate for localhost that signs itself, and of its key."""
    return self_signed(tmp_path_factory.mktemp("tls"))
