"""The service and the timer that write a page for the textfile collector of node_exporter."""

from __future__ import annotations

import stat
import subprocess
import urllib.request
from pathlib import Path

import pytest

from testbed import programs
from testbed.page import Page, metrics
from testbed.program import Program
from testbed.waiting import equals, until
from tests.deploy.systemd.booted import BootedSystemd
from tests.deploy.systemd.installation import Installation
from tests.integration import listening_sockets

SERVICE = "listen-queue-textfile.service"
TIMER = "listen-queue-textfile.timer"
FOLDER = "/var/lib/prometheus/node-exporter"
PROM = f"{FOLDER}/listen-queue.prom"
DEFAULTS = "/etc/default/listen-queue-textfile"
# An empty value removes the times of the unit (systemd.timer(5)).
OFTEN = "[Timer]\nOnActiveSec=\nOnActiveSec=0\nOnUnitActiveSec=1s\n"
DELAYED = "[Service]\nExecStartPre=/bin/sh -c 'while [ -e /run/delay ]; do sleep 0.05; done'\n"
NODE_EXPORTER = "http://127.0.0.1:9100/metrics"


def prepared(systemd: BootedSystemd) -> Path:
    """Install the units and make the folder of node_exporter, owned by root; returns the path of the page."""
    systemd.install(SERVICE, TIMER)
    systemd.path(FOLDER).mkdir(parents=True)
    return systemd.path(PROM)


def files(systemd: BootedSystemd) -> list[str]:
    return sorted(path.name for path in systemd.path(FOLDER).iterdir())


@pytest.mark.netns
def test_the_page_has_every_listener_and_every_user_can_read_it(
    installation: Installation, tmp_path: Path
) -> None:
    """No other file is left in the folder."""
    with BootedSystemd(installation, tmp_path) as systemd, listening_sockets.tcp("127.0.0.1", backlog=5):
        prom = prepared(systemd)
        systemd.systemctl("start", SERVICE)
        page = metrics(prom.read_text())
        assert page.value("listen_queue_accept_limit", port="8080") == 5
        assert page.value("listen_queue_exporter_source_success", source="inet") == 1
        assert files(systemd) == ["listen-queue.prom"]
        assert stat.S_IMODE(prom.stat().st_mode) == 0o644


@pytest.mark.netns
def test_the_old_page_stays_complete_until_the_new_one_replaces_it(
    installation: Installation, tmp_path: Path
) -> None:
    """A reader gets one or the other."""
    with BootedSystemd(installation, tmp_path) as systemd, listening_sockets.tcp("127.0.0.1", 8080):
        prom = prepared(systemd)
        systemd.write(f"{SERVICE}.d/test.conf", DELAYED)
        systemd.systemctl("start", SERVICE)
        before, inode = prom.read_text(), prom.stat().st_ino
        systemd.file("/run/delay", "")
        with (
            listening_sockets.tcp("127.0.0.1", 8081),
            subprocess.Popen(systemd.command("systemctl", "start", SERVICE)) as start,
        ):
            until(lambda: files(systemd), equals(["listen-queue.prom", "listen-queue.prom.new"]))
            assert prom.read_text() == before
            systemd.path("/run/delay").unlink()
            start.wait()
        assert start.returncode == 0
        assert metrics(prom.read_text()).all("listen_queue_accept_limit", port="8081")
        assert prom.stat().st_ino != inode


@pytest.mark.netns
def test_a_run_that_fails_leaves_no_page(installation: Installation, tmp_path: Path) -> None:
    """node_exporter would serve the old figures as current ones."""
    with BootedSystemd(installation, tmp_path) as systemd:
        prom = prepared(systemd)
        systemd.systemctl("start", SERVICE)
        assert prom.exists()
        systemd.file(DEFAULTS, "ARGS=--config.file=/nowhere\n")
        assert systemd.run("systemctl", "start", SERVICE).returncode != 0
        assert files(systemd) == []
        assert systemd.show(SERVICE, "Result") == "exit-code"


@pytest.mark.netns
def test_the_timer_runs_the_service_at_once_and_schedules_the_next_run(
    installation: Installation, tmp_path: Path
) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        prom = prepared(systemd)
        systemd.systemctl("start", TIMER)
        until(prom.exists, bool)
        until(lambda: systemd.show(TIMER, "NextElapseUSecMonotonic"), lambda due: due != "infinity")


@pytest.mark.netns
def test_the_timer_runs_the_service_repeatedly(installation: Installation, tmp_path: Path) -> None:
    """After a run that failed, too."""
    with BootedSystemd(installation, tmp_path) as systemd:
        prom = prepared(systemd)
        systemd.write(f"{TIMER}.d/test.conf", OFTEN)
        systemd.systemctl("start", TIMER)
        until(prom.exists, bool)
        systemd.file(DEFAULTS, "ARGS=--config.file=/nowhere\n")
        until(prom.exists, equals(False))  # noqa: FBT003  (a value)
        systemd.path(DEFAULTS).unlink()
        until(prom.exists, bool)


@pytest.mark.netns
def test_node_exporter_serves_the_page(installation: Installation, tmp_path: Path) -> None:
    with BootedSystemd(installation, tmp_path) as systemd, listening_sockets.tcp("127.0.0.1", backlog=5):
        folder = prepared(systemd).parent
        systemd.systemctl("start", SERVICE)
        # It runs outside of the mount namespace, so its folder is below /proc/<pid>/root.
        command = (
            programs.find("prometheus-node-exporter"),
            "--collector.disable-defaults",
            "--collector.textfile",
            f"--collector.textfile.directory={folder}",
            "--web.listen-address=127.0.0.1:9100",
        )
        with Program(command, tmp_path / "node_exporter.log") as node_exporter:
            node_exporter.wait_until(answers)
            page = scrape()
        assert page.value("node_textfile_scrape_error") == 0
        assert page.value("listen_queue_accept_limit", port="8080") == 5


def answers() -> bool:
    try:
        scrape()
    except OSError:
        return False
    return True


def scrape() -> Page:
    with urllib.request.urlopen(NODE_EXPORTER, timeout=10) as answer:
        return metrics(answer.read().decode())
