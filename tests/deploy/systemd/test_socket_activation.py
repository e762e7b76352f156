"""Who owns the sockets of a service that systemd starts for its first client."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest

from testbed.daemon import Daemon, running
from testbed.waiting import until
from tests.deploy.systemd.booted import BootedSystemd
from tests.deploy.systemd.installation import HOME, Installation
from tests.integration.metric_values import EAGER

PYTHON = f"{HOME}/python/bin/python{sys.version_info[0]}.{sys.version_info[1]}"
PORT = "8080"
UNIX = "/run/shop.sock"
SOCKET = f"""\
[Socket]
ListenStream=127.0.0.1:{PORT}
ListenStream={UNIX}
"""
SERVICE = f"""\
[Service]
Environment=LD_LIBRARY_PATH={HOME}/python/lib
ExecStart={{command}}
"""
# What serves both sockets, which are its descriptors 3 and 4; the clients are not accepted.
SHOP = "import time\ntime.sleep(1000)\n"
COMMANDS = {
    "interpreter": f"{PYTHON} /run/shop.py",
    "shell": "/bin/sh /run/start.sh",
}


def owners(served: Daemon) -> dict[str, set[tuple[str, str]]]:
    """Process and unit of each of the two listeners, by port or path."""
    found: dict[str, set[tuple[str, str]]] = {}
    for labels in served.metrics().all("listen_queue_listener_info"):
        known = dict(labels)
        place = known["port"] or known["address"]
        if place in (PORT, UNIX):
            found.setdefault(place, set()).add((known["process"], known["unit"]))
    return found


def until_served(before: Daemon) -> None:
    """Return when both exporters show the service."""
    _until_owned(before, {place: {("shop.py", "shop.service")} for place in (PORT, UNIX)})


def until_held(before: Daemon) -> None:
    """Return when both exporters show systemd; of a TCP socket the kernel tells which unit has opened it."""
    _until_owned(before, {PORT: {("systemd", "shop.socket")}, UNIX: {("systemd", "init.scope")}})


def _until_owned(before: Daemon, wanted: dict[str, set[tuple[str, str]]]) -> None:
    """Return when both exporters, one that runs and one that starts now, show these owners alone."""
    until(lambda: owners(before), lambda found: found == wanted)
    with running(config=EAGER, port=10512) as after:
        until(lambda: owners(after), lambda found: found == wanted)


@pytest.mark.netns
@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("client", ["tcp", "unix"])
def test_systemd_is_named_before_the_service_starts_and_after_it_stops(
    command: str, client: str, installation: Installation, tmp_path: Path
) -> None:
    with BootedSystemd(installation, tmp_path) as systemd, running(config=EAGER) as before:
        systemd.file("/run/shop.py", SHOP)
        systemd.file("/run/start.sh", f"{PYTHON} /run/shop.py\n:\n")
        systemd.write("shop.service", SERVICE.format(command=COMMANDS[command]))
        systemd.write("shop.socket", SOCKET)
        systemd.systemctl("start", "shop.socket")
        until_held(before)
        family = socket.AF_INET if client == "tcp" else socket.AF_UNIX
        with socket.socket(family) as opened:
            opened.connect(("127.0.0.1", int(PORT)) if client == "tcp" else str(systemd.path(UNIX)))
            until_served(before)
        systemd.systemctl("stop", "shop.socket", "shop.service")
        until(lambda: owners(before), lambda found: not found)
        systemd.systemctl("start", "shop.socket")
        until_held(before)


@pytest.mark.netns
def test_systemd_is_named_again_when_the_service_has_ended(
    installation: Installation, tmp_path: Path
) -> None:
    """The socket is open all the time, and no client comes again."""
    with BootedSystemd(installation, tmp_path) as systemd, running(config=EAGER) as before:
        serves = "import socket\nopened = socket.socket(fileno=3)\nclient = opened.accept()\n"
        systemd.file("/run/shop.py", f"{serves}open('/run/end').read()\n")
        assert systemd.run("mkfifo", "/run/end").returncode == 0
        systemd.write("shop.service", SERVICE.format(command=COMMANDS["interpreter"]))
        systemd.write("shop.socket", SOCKET)
        systemd.systemctl("start", "shop.socket")
        with socket.socket() as opened:
            opened.connect(("127.0.0.1", int(PORT)))
            until_served(before)
        systemd.path("/run/end").write_text("\n")
        until_held(before)
