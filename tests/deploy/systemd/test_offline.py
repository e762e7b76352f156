"""The units, checked by systemd-analyze: valid, well sandboxed, and each exception has a comment."""

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
WEB_CONFIG = f"{EXPORTER}.d/web-config.conf"
TEXTFILE = "listen-queue-textfile.service"
NAMES = sorted(path.name for path in UNITS.iterdir() if path.is_file())
HIGHEST_SCORE = 1.5
# The units of the system that they name, and the programs that they start.
TARGETS = ("sysinit", "basic", "sockets", "timers", "multi-user", "shutdown", "network")
COMMANDS = ("/bin/kill", "/bin/systemd-notify", "/bin/rm", "/bin/mv", "/bin/sh")
EXPLAINED = re.compile(r"^# (\S+=\S*) {2,}\S")


def put(names: list[str], folder: Path) -> list[str]:
    """Copy units and drop-ins; returns the paths of the units."""
    for name in names:
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(UNITS / name, place)
    return [str(folder / name) for name in names if "/" not in name]


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [programs.find("systemd-analyze"), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=30)


def left_open(names: list[str], folder: Path) -> set[str]:
    """The settings that `systemd-analyze security` finds fault with."""
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
    """The settings that have a comment at the end of a file."""
    lines = (UNITS / name).read_text().splitlines()
    return {matched[1] for line in lines if (matched := EXPLAINED.match(line))}


def settings(name: str) -> list[str]:
    """The lines of a file that are settings."""
    lines = (UNITS / name).read_text().splitlines()
    return [line for line in lines if "=" in line and not line.startswith("#")]


def test_every_unit_is_accepted(tmp_path: Path) -> None:
    """systemd-analyze finds no fault where the programs that they start exist."""
    folder_of_units = tmp_path / "etc/systemd/system"
    put([*NAMES, CONTAINERS, WEB_CONFIG], folder_of_units)
    for target in TARGETS:
        (folder_of_units / f"{target}.target").write_text("[Unit]\n")
    for command in (f"{HOME}/bin/listen-queue-exporter", *COMMANDS):
        place = tmp_path / command.removeprefix("/")
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(mode=0o755)
    done = analyze("verify", f"--root={tmp_path}", "--man=no", *NAMES)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("name", [EXPORTER, TEXTFILE])
def test_the_exposure_of_a_service_without_capabilities_is_low(name: str, tmp_path: Path) -> None:
    assert score([name], tmp_path) <= HIGHEST_SCORE


@pytest.mark.parametrize("name", [EXPORTER, TEXTFILE])
def test_each_setting_that_a_service_leaves_open_has_a_comment(name: str, tmp_path: Path) -> None:
    """And no other setting has one."""
    assert explained(name) == left_open([name], tmp_path)


def test_each_setting_that_the_drop_in_opens_has_a_comment(tmp_path: Path) -> None:
    opened = left_open([EXPORTER, CONTAINERS], tmp_path / "both") - left_open([EXPORTER], tmp_path / "one")
    assert explained(CONTAINERS) == opened


def test_the_drop_in_changes_four_settings() -> None:
    three = "CAP_SYS_ADMIN CAP_SYS_PTRACE CAP_DAC_READ_SEARCH"
    assert settings(CONTAINERS) == [
        f"AmbientCapabilities={three}",
        f"CapabilityBoundingSet={three}",
        "RestrictNamespaces=net",
        "SystemCallFilter=landlock_create_ruleset landlock_add_rule landlock_restrict_self",
    ]


def test_a_web_configuration_opens_nothing(tmp_path: Path) -> None:
    assert left_open([EXPORTER, WEB_CONFIG], tmp_path / "both") == left_open([EXPORTER], tmp_path / "one")


def test_a_web_configuration_adds_its_flag_to_the_command() -> None:
    (command,) = (line for line in settings(EXPORTER) if line.startswith("ExecStart="))
    program, arguments = command.split(" ", 1)
    flag = "--web.config.file=${CREDENTIALS_DIRECTORY}/web.yml"
    assert settings(WEB_CONFIG)[-2:] == ["ExecStart=", f"{program} {flag} {arguments}"]


def test_both_services_have_the_same_sandbox() -> None:
    """Except that one serves HTTP and the other writes a file for other users."""

    def hardening(name: str) -> set[str]:
        lines = settings(name)
        return set(lines[lines.index("DynamicUser=yes") :])

    ours, theirs = hardening(EXPORTER), hardening(TEXTFILE)
    families = "RestrictAddressFamilies=AF_INET AF_INET6 AF_NETLINK AF_UNIX"
    assert ours - theirs == {families, "UMask=0077", "WantedBy=multi-user.target"}
    families = "RestrictAddressFamilies=AF_NETLINK AF_UNIX"
    assert theirs - ours == {families, "IPAddressDeny=any", "UMask=0022"}


@pytest.mark.parametrize("name", [EXPORTER, TEXTFILE])
def test_each_service_starts_the_installed_command(name: str) -> None:
    """The tests above replace it."""
    assert f"ExecStart={HOME}/bin/listen-queue-exporter " in (UNITS / name).read_text()
