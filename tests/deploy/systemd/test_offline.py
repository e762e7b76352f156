"""What systemd says of the units without starting them: they are right, tight, and say what is left open."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from testbed import programs
from tests.deploy.systemd.booted import EXPORTER, UNITS
from tests.deploy.systemd.installation import HOME

CONTAINERS = f"{EXPORTER}.d/containers.conf"
TEXTFILE = "listen-queue-textfile.service"
NAMES = sorted(path.name for path in UNITS.iterdir() if path.is_file())
HIGHEST_SCORE = 1.5
# What units of the system are referred to, and the programs that are started.
TARGETS = ("sysinit", "basic", "sockets", "timers", "multi-user", "shutdown", "network")
COMMANDS = ("/bin/kill", "/bin/systemd-notify", "/bin/rm", "/bin/mv", "/bin/sh")
EXPLAINED = re.compile(r"^# (\S+=\S*) {2,}\S")


def put(names: list[str], folder: Path) -> list[str]:
    """Copy units, and drop-ins beside them, and return where the units are."""
    for name in names:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(UNITS / name, place)
    return [str(folder / name) for name in names if "/" not in name]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [programs.find("systemd-analyze"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def left_open(names: list[str], folder: Path) -> set[str]:
    """The settings that `systemd-analyze security` marks with a cross."""
    found: list[dict[str, Any]] = json.loads(
        analyze("security", "--offline=true", "--json=short", *put(names, folder)).stdout
    )
    return {setting["name"] for setting in found if not setting["set"]}


def score(names: list[str], folder: Path) -> float:
    """The exposure of a service, from 0 to 10."""
    done = analyze("security", "--offline=true", "--no-pager", *put(names, folder))
    matched = re.search(r"Overall exposure level for \S+: ([0-9.]+)", done.stdout)
    assert matched, done.stdout + done.stderr
    return float(matched[1])


def explained(name: str) -> set[str]:
    """The settings that a file's comments explain."""
    lines = (UNITS / name).read_text().splitlines()
    return {matched[1] for line in lines if (matched := EXPLAINED.match(line))}


def settings(name: str) -> list[str]:
    """The settings of a file, as they are written."""
    lines = (UNITS / name).read_text().splitlines()
    return [line for line in lines if "=" in line and not line.startswith("#")]


def test_every_unit_is_accepted(tmp_path: Path) -> None:
    """In a root where what they start exists, systemd-analyze finds nothing to say."""
    room = tmp_path / "etc/systemd/system"
    put([*NAMES, CONTAINERS], room)
    for target in TARGETS:
        (room / f"{target}.target").write_text("[Unit]\n")
    for command in (f"{HOME}/bin/listen-queue-exporter", *COMMANDS):
        place = tmp_path / command.removeprefix("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o755)
    done = analyze("verify", f"--root={tmp_path}", "--man=no", *NAMES)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", [EXPORTER, TEXTFILE])
def test_a_service_without_capabilities_is_hardly_exposed(name: str, tmp_path: Path) -> None:
    assert score([name], tmp_path) <= HIGHEST_SCORE


@pytest.mark.parametrize("name", [EXPORTER, TEXTFILE])
def test_what_a_service_leaves_open_is_explained_in_it(name: str, tmp_path: Path) -> None:
    """And nothing is explained that is not open."""
    assert explained(name) == left_open([name], tmp_path)


def test_what_containers_open_is_explained_in_the_drop_in(tmp_path: Path) -> None:
    opened = left_open([EXPORTER, CONTAINERS], tmp_path / "both") - left_open([EXPORTER], tmp_path / "one")
    assert explained(CONTAINERS) == opened


def test_the_drop_in_changes_three_settings_and_takes_nothing_back() -> None:
    three = "CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH"
    assert settings(CONTAINERS) == [
        f"AmbientCapabilities={three}",
        f"CapabilityBoundingSet={three}",
        "RestrictNamespaces=net",
    ]


def test_both_services_are_as_tight_as_each_other() -> None:
    """One gives capabilities away and is asked over HTTP, the other leaves a file for others to read."""

    def hardening(name: str) -> set[str]:
        lines = settings(name)
        return set(lines[lines.index("DynamicUser=yes") :])

    ours, theirs = hardening(EXPORTER), hardening(TEXTFILE)
    families = "RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX"
    assert ours - theirs == {families, "UMask=0077", "WantedBy=multi-user.target"}
    families = "RestrictAddressFamilies=AF_NETLINK AF_UNIX"
    assert theirs - ours == {families, "IPAddressDeny=any", "UMask=0022"}


@pytest.mark.parametrize("name", [EXPORTER, TEXTFILE])
def test_each_service_starts_what_is_installed(name: str) -> None:
    """Whatever the tests put in the place of it."""
    assert f"ExecStart={HOME}/bin/listen-queue-exporter " in (UNITS / name).read_text()
