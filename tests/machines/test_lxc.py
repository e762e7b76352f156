"""Containers of LXC."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.machines import commands, file_tree
from tests.machines.page import Listeners, until_unplugged, veths

PORT = 8100


def start(name: str, port: int, root: Path, network: str) -> None:
    """Start a container with a service on this port; its files are shared with others."""
    folder = Path("/var/lib/lxc", name)
    folder.mkdir(parents=True)
    service = " ".join(file_tree.service(port))
    lines = [f"lxc.uts.name = {name}", f"lxc.rootfs.path = dir:{root}", f"lxc.init.cmd = {service}", network]
    (folder / "config").write_text("\n".join([*lines, "lxc.apparmor.profile = unconfined", ""]))
    commands.output("lxc-start", "--name", name, "--logfile", str(folder / "log"))


@pytest.mark.timeout(900)
def test_a_container_is_shown_by_its_name_until_it_dies(
    root: Path, listeners: Listeners, seen: Callable[[str], None]
) -> None:
    before = veths()
    commands.output("ip", "link", "add", "lxcbr9", "type", "bridge")
    start("lxc-web", PORT, root, "lxc.net.0.type = veth\nlxc.net.0.link = lxcbr9\nlxc.net.0.flags = up")
    assert "lxc-web" in commands.output("lxc-ls", "--running").split()
    listeners.until_shown("lxc-web", PORT, container="lxc-web", runtime="lxc")
    seen(f"LXC {commands.output('lxc-start', '--version')}: netns=lxc-web, container=lxc-web")
    os.kill(int(commands.output("lxc-info", "--name", "lxc-web", "--pid", "--no-humanize")), signal.SIGKILL)
    unplugged, gone = until_unplugged(before), listeners.until_gone("lxc-web")
    seen(f"killed: veth gone after {unplugged:.1f} s, series {gone:.1f} s later")
    commands.output("lxc-start", "--name", "lxc-web")
    listeners.until_shown("lxc-web", PORT, container="lxc-web")
    commands.output("lxc-stop", "--kill", "--name", "lxc-web")
    listeners.until_gone("lxc-web")


@pytest.mark.timeout(900)
def test_a_container_in_the_network_of_the_host_is_named_there(
    root: Path, listeners: Listeners, seen: Callable[[str], None]
) -> None:
    start("lxc-host", PORT + 1, root, "lxc.net.0.type = none")
    listeners.until_shown("host", PORT + 1, container="lxc-host", runtime="lxc")
    seen("lxc.net.0.type = none: netns=host, container=lxc-host")
    commands.output("lxc-stop", "--kill", "--name", "lxc-host")
