"""Do the wheel and the source archive hold what they must, and nothing else?

The source archive is built from the checkout and the wheel from the source archive, so this also
shows that an archive alone is enough to build from.
"""

import fcntl
import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Built:
    wheel: str
    wheel_names: frozenset[str]
    metadata: str
    sdist_names: frozenset[str]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    out = tmp_path_factory.mktemp("dist")
    target = (
        ROOT / "proxy" / "stopgap-core" / "target"
    )  # the dependencies of the core are built there already
    with (tmp_path_factory.getbasetemp().parent / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # setuptools works in the checkout, and tests run side by side
        done = subprocess.run(
            [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), str(ROOT)],
            env={**os.environ, "CARGO_TARGET_DIR": str(target)},
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    (wheel,) = out.glob("*.whl")
    (sdist,) = out.glob("*.tar.gz")
    with zipfile.ZipFile(wheel) as archive:
        names = frozenset(archive.namelist())
        (metadata,) = (item for item in names if item.endswith(".dist-info/METADATA"))
        text = archive.read(metadata).decode()
    with tarfile.open(sdist) as tar:
        inside = frozenset(item.partition("/")[2] for item in tar.getnames())
    return Built(wheel.name, names, text, inside)


def packs() -> set[str]:
    """The packs and what lies beside them, by their place under the folder of the packs."""
    return {path.relative_to(ROOT / "rules").as_posix() for path in (ROOT / "rules").rglob("*.toml")}


def dashboard() -> set[str]:
    """The files of the dashboard, with the library that it ships and its licence."""
    folder = ROOT / "proxy/stopgap/admin/dashboard"
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert {"index.html", "app.js", "vendor/uPlot.iife.min.js", "vendor/uPlot.LICENSE.txt"} <= names
    return names


@pytest.mark.timeout(600)
def test_wheel_holds_the_package(built: Built) -> None:
    assert {"stopgap/py.typed", "stopgap/_core.pyi"} <= built.wheel_names
    assert {f"stopgap/packs/{pack}" for pack in packs()} <= built.wheel_names
    assert {f"stopgap/admin/dashboard/{name}" for name in dashboard()} <= built.wheel_names
    sources = {path.relative_to(ROOT / "proxy").as_posix() for path in (ROOT / "proxy/stopgap").rglob("*.py")}
    assert sources <= built.wheel_names


@pytest.mark.timeout(600)
def test_wheel_holds_nothing_else(built: Built) -> None:
    tops = {item.split("/")[0] for item in built.wheel_names}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"stopgap"}
    assert [item for item in built.wheel_names if item.endswith((".rs", "Cargo.toml", "Cargo.lock"))] == []
    modules = [item for item in built.wheel_names if item.endswith(".so")]
    assert modules == ["stopgap/_core.abi3.so"]


@pytest.mark.timeout(600)
def test_one_wheel_serves_every_python(built: Built) -> None:
    assert "-cp311-abi3-" in built.wheel
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f"Requires-Python: {project['requires-python']}" in built.metadata
    assert "License-Expression: Apache-2.0" in built.metadata


@pytest.mark.timeout(600)
def test_source_archive_can_be_built_and_tested(built: Built) -> None:
    crate = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "proxy/stopgap-core").rglob("*.rs")
        if "target" not in path.parts
    }
    assert crate <= built.sdist_names
    assert {"proxy/stopgap-core/Cargo.lock", "Makefile", "LICENSE", "README.md"} <= built.sdist_names
    assert {f"proxy/stopgap/packs/{pack}" for pack in packs()} <= built.sdist_names
    assert {f"rules/{pack}" for pack in packs()} <= built.sdist_names
    assert {f"proxy/stopgap/admin/dashboard/{name}" for name in dashboard()} <= built.sdist_names


def test_tests_meet_the_mitmproxy_that_users_get() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    extra = project["project"]["optional-dependencies"]["workbench"]
    assert [one for one in project["dependency-groups"]["dev"] if "mitmproxy" in one] == extra
