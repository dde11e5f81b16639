"""Do the files in deploy/ work: is the example accepted, and is the service as closed as it says?"""

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
UNIT = ROOT / "deploy" / "systemd" / "stopgap.service"
STOPGAP = Path(sys.executable).with_name("stopgap")

# What operators expect of a hardened unit, and why the gate can live with it.
HARDENING = {
    "NoNewPrivileges": "yes",
    "DynamicUser": "yes",
    "CapabilityBoundingSet": "CAP_NET_BIND_SERVICE",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectKernelTunables": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectControlGroups": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "LockPersonality": "yes",
    "MemoryDenyWriteExecute": "yes",
    "SystemCallArchitectures": "native",
}


def service() -> dict[str, str]:
    """The keys of the unit's [Service]; of a key that stands there twice, the last."""
    lines = UNIT.read_text("utf-8").partition("[Service]")[2].partition("[Install]")[0].splitlines()
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {key: value for key, _, value in pairs}


def test_example_configuration_is_accepted() -> None:
    example = ROOT / "deploy" / "stopgap.toml"
    done = subprocess.run(
        [str(STOPGAP), "check", "--config", str(example)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_unit_is_hardened() -> None:
    told = service()
    assert {key: told.get(key) for key in HARDENING} == HARDENING
    assert told["Type"] == "notify"
    assert told["RestartPreventExitStatus"] == "2"
    assert told["OOMPolicy"] == "continue"


def test_unit_leaves_little_exposed() -> None:
    analyse = shutil.which("systemd-analyze")
    if analyse is None:  # not every machine that runs the tests has systemd
        return
    done = subprocess.run(
        [analyse, "security", "--offline=true", "--no-pager", str(UNIT)],
        capture_output=True,
        text=True,
        check=False,
    )
    found = re.search(r"Overall exposure level .*: ([\d.]+)", done.stdout)
    assert found, done.stdout + done.stderr
    assert float(found[1]) < 2


def test_unit_runs_documented_commands() -> None:
    told = service()
    for key in ("ExecStartPre", "ExecStart"):
        words = told[key].split()[1:]
        done = subprocess.run([str(STOPGAP), words[0], "--help"], capture_output=True, text=True, check=False)
        assert done.returncode == 0
        assert {word for word in words if word.startswith("--")} <= set(re.findall(r"--[a-z-]+", done.stdout))
