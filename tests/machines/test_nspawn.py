"""Containers of systemd-nspawn, started as services and by hand."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines import commands, file_tree
from tests.machines.page import Listeners, until_unplugged, veths

PORT = 8110


def leader(name: str) -> int:
    """The first process of a container."""
    return int(commands.output("machinectl", "show", name, "--property=Leader", "--value"))


@pytest.mark.timeout(900)
def test_a_service_is_shown_by_the_name_of_the_machine_until_it_dies(
    root: Path, listeners: Listeners, seen: Callable[[str], None]
) -> None:
    name, before = "nspawn-web", veths()
    shutil.copytree(root, f"/var/lib/machines/{name}", symlinks=True)
    Path("/etc/systemd/nspawn").mkdir(exist_ok=True)
    service = " ".join(file_tree.service(PORT))
    Path(f"/etc/systemd/nspawn/{name}.nspawn").write_text(f"[Exec]\nBoot=no\nParameters={service}\n")
    commands.output("machinectl", "start", name)
    assert name in commands.output("machinectl", "list", "--no-legend")
    listeners.until_shown(name, PORT, container=name, runtime="systemd-nspawn")
    seen(f"{commands.output('systemd-nspawn', '--version').splitlines()[0]}: machinectl start: netns={name}")
    os.kill(leader(name), signal.SIGKILL)
    unplugged, gone = until_unplugged(before), listeners.until_gone(name)
    seen(f"killed: veth gone after {unplugged:.1f} s, series {gone:.1f} s later")
    commands.output("machinectl", "start", name)
    listeners.until_shown(name, PORT, container=name)
    commands.output("machinectl", "terminate", name)
    listeners.until_gone(name)


@pytest.mark.timeout(900)
@pytest.mark.parametrize(("network", "netns"), [("--private-network", "nspawn-hand"), ("", "host")])
def test_one_that_is_started_by_hand_is_shown_by_its_name(
    network: str, netns: str, root: Path, listeners: Listeners, seen: Callable[[str], None]
) -> None:
    name = "nspawn-hand"
    options = [
        f"--directory={root}",
        f"--machine={name}",
        "--quiet",
        "--volatile=no",
        *filter(None, [network]),
    ]
    service = file_tree.service(PORT + 1)
    commands.output("systemd-run", "--unit=by-hand", "--collect", "systemd-nspawn", *options, *service)
    listeners.until_shown(netns, PORT + 1, container=name, runtime="systemd-nspawn")
    seen(f"systemd-nspawn {network}: netns={netns}, container={name}")
    commands.output("machinectl", "terminate", name)
