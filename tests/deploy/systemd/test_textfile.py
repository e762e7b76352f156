"""The pair of units that writes a page for the textfile collector of node_exporter."""

from __future__ import annotations

import stat
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from testbed import programs, syscalls
from testbed.page import Page, metrics
from testbed.waiting import equals, until
from tests.deploy.systemd.booted import Booted
from tests.deploy.systemd.installation import Installation
from tests.integration import listening_sockets

SERVICE = "listen-queue-textfile.service"
TIMER = "listen-queue-textfile.timer"
FOLDER = "/var/lib/prometheus/node-exporter"
PROM = f"{FOLDER}/listen-queue.prom"
DEFAULTS = "/etc/default/listen-queue-textfile"
# An empty value takes every time of the timer back.
OFTEN = "[Timer]\nOnActiveSec=\nOnActiveSec=0\nOnUnitActiveSec=1s\n"
HELD_UP = "[Service]\nExecStartPre=/bin/sh -c 'while [ -e /run/hold ]; do sleep 0.05; done'\n"
NODE_EXPORTER = "http://127.0.0.1:9100/metrics"


def prepared(systemd: Booted) -> Path:
    """The units and the folder of node_exporter, which belongs to root; returns where the page will be."""
    systemd.install(SERVICE, TIMER)
    systemd.path(FOLDER).mkdir(parents=True)
    return systemd.path(PROM)


def files(systemd: Booted) -> list[str]:
    return sorted(path.name for path in systemd.path(FOLDER).iterdir())


@pytest.mark.netns
def test_the_page_has_every_listener_and_anybody_may_read_it(
    installation: Installation, tmp_path: Path
) -> None:
    """It is whole, and nothing lies beside it."""
    with Booted(installation, tmp_path) as systemd, listening_sockets.tcp("127.0.0.1", backlog=5):
        prom = prepared(systemd)
        systemd.systemctl("start", SERVICE)
        page = metrics(prom.read_text())
        assert page.value("listen_queue_accept_limit", port="8080") == 5
        assert page.value("listen_queue_exporter_source_success", source="inet") == 1
        assert files(systemd) == ["listen-queue.prom"]
        assert stat.S_IMODE(prom.stat().st_mode) == 0o644


@pytest.mark.netns
def test_the_old_page_stays_whole_until_the_new_one_takes_its_place(
    installation: Installation, tmp_path: Path
) -> None:
    """Whoever reads sees the one or the other."""
    with Booted(installation, tmp_path) as systemd, listening_sockets.tcp("127.0.0.1", 8080):
        prom = prepared(systemd)
        systemd.write(f"{SERVICE}.d/test.conf", HELD_UP)
        systemd.systemctl("start", SERVICE)
        before, inode = prom.read_text(), prom.stat().st_ino
        systemd.file("/run/hold", "")
        with (
            listening_sockets.tcp("127.0.0.1", 8081),
            subprocess.Popen(systemd.command("systemctl", "start", SERVICE)) as start,
        ):
            until(lambda: files(systemd), equals(["listen-queue.prom", "listen-queue.prom.new"]))
            assert prom.read_text() == before
            systemd.path("/run/hold").unlink()
            start.wait()
        assert start.returncode == 0
        assert metrics(prom.read_text()).all("listen_queue_accept_limit", port="8081")
        assert prom.stat().st_ino != inode


@pytest.mark.netns
def test_a_look_that_fails_leaves_no_page(installation: Installation, tmp_path: Path) -> None:
    """node_exporter would serve the old figures as if they were new."""
    with Booted(installation, tmp_path) as systemd:
        prom = prepared(systemd)
        systemd.systemctl("start", SERVICE)
        assert prom.exists()
        systemd.file(DEFAULTS, "ARGS=--config.file=/nowhere\n")
        assert systemd.run("systemctl", "start", SERVICE).returncode != 0
        assert files(systemd) == []
        assert systemd.show(SERVICE, "Result") == "exit-code"


@pytest.mark.netns
def test_the_timer_looks_at_once_and_means_to_look_again(installation: Installation, tmp_path: Path) -> None:
    with Booted(installation, tmp_path) as systemd:
        prom = prepared(systemd)
        systemd.systemctl("start", TIMER)
        until(prom.exists, bool)
        until(lambda: systemd.show(TIMER, "NextElapseUSecMonotonic"), lambda due: due != "infinity")


@pytest.mark.netns
def test_the_timer_looks_again_and_again(installation: Installation, tmp_path: Path) -> None:
    """Also after a look that failed."""
    with Booted(installation, tmp_path) as systemd:
        prom = prepared(systemd)
        systemd.write(f"{TIMER}.d/test.conf", OFTEN)
        systemd.systemctl("start", TIMER)
        until(prom.exists, bool)
        systemd.file(DEFAULTS, "ARGS=--config.file=/nowhere\n")
        until(prom.exists, equals(False))  # noqa: FBT003  (a value)
        systemd.path(DEFAULTS).unlink()
        until(prom.exists, bool)


@pytest.mark.netns
def test_node_exporter_serves_it(installation: Installation, tmp_path: Path) -> None:
    """Through links of /proc, since it runs outside."""
    node_exporter = programs.find("prometheus-node-exporter")
    with Booted(installation, tmp_path) as systemd, listening_sockets.tcp("127.0.0.1", backlog=5):
        folder = prepared(systemd).parent
        systemd.systemctl("start", SERVICE)
        subprocess.Popen(
            [
                node_exporter,
                "--collector.disable-defaults",
                "--collector.textfile",
                f"--collector.textfile.directory={folder}",
                "--web.listen-address=127.0.0.1:9100",
            ],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509 # the lab has one thread
        )
        page = until(scraped, lambda page: page is not None)
        assert page is not None
        assert page.value("node_textfile_scrape_error") == 0
        assert page.value("listen_queue_accept_limit", port="8080") == 5


def scraped() -> Page | None:
    try:
        with urllib.request.urlopen(NODE_EXPORTER, timeout=10) as answer:
            return metrics(answer.read().decode())
    except (urllib.error.URLError, ConnectionError):
        return None
