"""The units as they are shipped, run by the systemd that is process 1 of a machine."""

from __future__ import annotations

import os
import shutil
import signal
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.broker.process_name import BROKER, FILE_BROKER, SUPERVISOR
from testbed.page import Page, metrics
from testbed.waiting import equals, until
from tests.deploy.systemd.installation import HOME, Installation
from tests.machines import commands

SERVICE = "listen-queue-exporter.service"
SOCKET = "listen-queue-exporter.socket"
TIMER = "listen-queue-textfile.timer"
PAGE = "http://[::1]:10511/metrics"
PORT = 8120
UNITS = Path(__file__).parents[2] / "deploy/systemd"
INSTALLED = Path("/etc/systemd/system")
DEFAULTS = Path("/etc/default/listen-queue-exporter")
CONFIG = Path("/etc/listen-queue-exporter/config.yaml")
PROM = Path("/var/lib/prometheus/node-exporter/listen-queue.prom")
# CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE and CAP_SYS_ADMIN (include/uapi/linux/capability.h).
READS, TRACES, ADMINISTERS = 1 << 2, 1 << 19, 1 << 21
CAPABILITIES = {SUPERVISOR: 0, BROKER: READS | TRACES | ADMINISTERS, FILE_BROKER: READS | TRACES}

pytestmark = pytest.mark.timeout(1500)


@pytest.fixture(scope="module", autouse=True)
def service() -> Iterator[str]:
    """Install the exporter and its units, and start a service that listens; returns the unit of that."""
    installation = Installation.made_in(Path(HOME))
    python = Path(HOME, "python")
    python.rmdir()
    python.symlink_to(installation.python)
    for unit in UNITS.iterdir():
        if unit.is_file():
            shutil.copy(unit, INSTALLED)
    CONFIG.parent.mkdir()
    configure("before")
    DEFAULTS.write_text(f"ARGS=--config.file={CONFIG}\n")
    PROM.parent.mkdir(parents=True)
    commands.output("systemctl", "daemon-reload")
    commands.output(
        "systemd-run", "--quiet", "--unit=shop", "/usr/bin/python3", "-m", "http.server", str(PORT)
    )
    yield "shop.service"
    commands.output("systemctl", "stop", "shop", SERVICE, SOCKET, TIMER)


def configure(rule: str) -> None:
    """Let a rule of this name apply to the listener."""
    CONFIG.write_text(f"sampling: {{cpu_budget: 50%}}\nrules: [{{name: {rule}, match: {{port: {PORT}}}}}]\n")


def page() -> Page:
    """The page of the service; a connection to the socket of the unit starts it."""
    with urllib.request.urlopen(PAGE, timeout=300) as answer:
        return metrics(answer.read().decode())


def shown(unit: str, wanted: str) -> str:
    """A property of a unit."""
    return commands.output("systemctl", "show", unit, f"--property={wanted}", "--value")


def capabilities(pid: int) -> int:
    """The effective capabilities of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("CapEff:")[2].split()[0], 16)


def until_shown(**labels: str) -> None:
    """Wait for a listener with these labels."""
    until(page, lambda found: bool(found.all("listen_queue_accept_length", **labels)))


def name(pid: int) -> str:
    """The name of a process."""
    return Path(f"/proc/{pid}/comm").read_text().strip()


def main_pid() -> int:
    """The process that systemd watches."""
    return int(shown(SERVICE, "MainPID"))


def children(pid: int) -> list[int]:
    """Every descendant of a process."""
    direct = [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return direct + [below for each in direct for below in children(each)]


def test_a_scrape_starts_the_service_and_sees_who_listens(service: str, seen: Callable[[str], None]) -> None:
    commands.output("systemctl", "start", SOCKET)
    until(page, lambda found: bool(found.all("listen_queue_listener_info", port=str(PORT), unit=service)))
    assert shown(SERVICE, "ActiveState") == "active"
    assert os.stat(f"/proc/{main_pid()}").st_uid != 0  # noqa: PTH116  (who runs it, not a file)
    assert {capabilities(each) for each in (main_pid(), *children(main_pid()))} == {0}
    seen(f"{commands.output('systemctl', '--version').splitlines()[0]}: started by a scrape of its socket")


def test_reload_returns_when_the_file_was_read(seen: Callable[[str], None]) -> None:
    before = main_pid()
    configure("after")
    commands.output("systemctl", "reload", SERVICE)
    assert page().all("listen_queue_listener_info", port=str(PORT), rule="after")
    assert main_pid() == before
    seen("systemctl reload: the new rule is on the next page")


def test_with_the_drop_in_it_sees_other_namespaces(seen: Callable[[str], None]) -> None:
    folder = INSTALLED / f"{SERVICE}.d"
    folder.mkdir()
    shutil.copy(UNITS / f"{SERVICE}.d/containers.conf", folder)
    commands.output("ip", "netns", "add", "edge")
    inside = ("ip", "netns", "exec", "edge", "/usr/bin/python3", "-m", "http.server", str(PORT + 1))
    commands.output("systemd-run", "--quiet", "--unit=edge", *inside)
    commands.output("systemctl", "daemon-reload")
    commands.output("systemctl", "restart", SERVICE)
    until_shown(netns="edge", port=str(PORT + 1))
    until_shown(port=str(PORT), process="http.server")
    assert capabilities(main_pid()) == 0
    assert {name(each): capabilities(each) for each in children(main_pid())} == CAPABILITIES
    commands.output("systemctl", "stop", "edge")
    commands.output("ip", "netns", "delete", "edge")
    until(page, lambda found: not found.all("listen_queue_accept_length", netns="edge"))
    seen("containers.conf: a listener of a named namespace, and none after it was deleted")


def test_one_that_hangs_is_restarted_and_its_port_stays_open(seen: Callable[[str], None]) -> None:
    before = main_pid()
    os.kill(before, signal.SIGSTOP)
    until(main_pid, lambda now: now not in {0, before})
    until(lambda: shown(SERVICE, "ActiveState"), equals("active"))
    assert page().all("listen_queue_accept_length", port=str(PORT))
    assert int(shown(SERVICE, "NRestarts")) == 1
    seen("SIGSTOP: restarted by the watchdog, and the next scrape answered")


def test_the_timer_writes_the_page_for_node_exporter_again_and_again(seen: Callable[[str], None]) -> None:
    commands.output("systemctl", "start", TIMER)
    until(PROM.exists, bool)
    first = PROM.stat().st_mtime
    found = metrics(PROM.read_text())
    assert found.all("listen_queue_accept_length", port=str(PORT))
    assert [each.name for each in PROM.parent.iterdir()] == [PROM.name]
    until(lambda: PROM.stat().st_mtime, lambda now: now > first)
    seen("listen-queue-textfile.timer: a page, and a newer one a minute later")
