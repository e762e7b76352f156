"""The socket unit: systemd keeps the port open while the exporter starts, restarts or is stopped."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
from pathlib import Path
from signal import SIGKILL

import pytest

from testbed.namespace import write_sysctl
from testbed.waiting import equals, until
from tests.deploy.systemd.booted import EXPORTER, PORT, BootedSystemd
from tests.deploy.systemd.installation import Installation
from tests.integration.metric_values import figure, until_figure

SOCKET = "listen-queue-exporter.socket"
DEFAULTS = "/etc/default/listen-queue-exporter"
BUILD = "listen_queue_exporter_build_info"
# The start waits while the file exists.
DELAYED = """\
[Service]
ExecStartPre=/bin/sh -c 'while [ -e /run/delay ]; do sleep 0.05; done'
"""


def listening(systemd: BootedSystemd) -> None:
    """Open the port; the exporter does not run yet."""
    systemd.install(EXPORTER, SOCKET)
    systemd.systemctl("start", SOCKET)


def sub_state(systemd: BootedSystemd) -> str:
    return systemd.show(EXPORTER, "SubState")


def answer(host: str, port: int = PORT) -> str:
    """The page that is served there; OSError where the connection is refused."""
    connection = http.client.HTTPConnection(host, port, timeout=30)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


@pytest.mark.netns
@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_the_first_scrape_starts_the_exporter_and_is_answered(
    host: str, installation: Installation, tmp_path: Path
) -> None:
    """Over IPv4 and IPv6, also where sockets are for one family by default."""
    write_sysctl("net.ipv6.bindv6only", 1)
    with BootedSystemd(installation, tmp_path) as systemd:
        listening(systemd)
        assert sub_state(systemd) == "dead"
        assert BUILD in answer(host)
        until(lambda: sub_state(systemd), equals("running"))


@pytest.mark.netns
def test_only_systemd_opens_the_port(installation: Installation, tmp_path: Path) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        listening(systemd)
        systemd.systemctl("start", EXPORTER)
        until_figure(systemd, 1, "sockets", address="::", port=str(PORT))
        assert figure(systemd, "accept_limit", port=str(PORT)) == 128


@pytest.mark.netns
def test_a_scrape_during_a_restart_waits_and_is_answered(installation: Installation, tmp_path: Path) -> None:
    """It comes when the old process has ended and the new one has not started, and gets every listener."""
    with BootedSystemd(installation, tmp_path) as systemd:
        listening(systemd)
        systemd.write(f"{EXPORTER}.d/test.conf", DELAYED)
        systemd.systemctl("start", EXPORTER)
        (before,) = systemd.processes(EXPORTER)
        systemd.file("/run/delay", "")
        with subprocess.Popen(systemd.command("systemctl", "restart", EXPORTER)) as restart:
            until(lambda: sub_state(systemd), equals("start-pre"))
            assert before not in systemd.processes(EXPORTER)
            with socket.create_connection(("127.0.0.1", PORT)) as client:
                client.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                systemd.path("/run/delay").unlink()
                client.settimeout(30)
                with client.makefile() as response:
                    text = response.read()
        assert text.startswith("HTTP/1.1 200")
        assert f'listen_queue_accept_limit{{address="::",netns="host",port="{PORT}"' in text
        assert restart.returncode == 0


@pytest.mark.netns
def test_a_scrape_after_a_crash_is_answered_by_the_next_process(
    installation: Installation, tmp_path: Path
) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        listening(systemd)
        systemd.systemctl("start", EXPORTER)
        (before,) = systemd.processes(EXPORTER)
        os.kill(before, SIGKILL)
        until(lambda: before in systemd.processes(EXPORTER), equals(False))  # noqa: FBT003  (a value)
        assert BUILD in answer("127.0.0.1")


@pytest.mark.netns
def test_the_port_stays_open_when_the_exporter_is_stopped(installation: Installation, tmp_path: Path) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        listening(systemd)
        systemd.systemctl("start", EXPORTER)
        systemd.run("systemctl", "stop", EXPORTER)
        assert BUILD in answer("127.0.0.1")
        systemd.systemctl("stop", SOCKET, EXPORTER)
        with pytest.raises(ConnectionRefusedError):
            answer("127.0.0.1")


@pytest.mark.netns
def test_addresses_of_flags_are_opened_too(installation: Installation, tmp_path: Path) -> None:
    with BootedSystemd(installation, tmp_path) as systemd:
        systemd.file(DEFAULTS, "ARGS=--web.listen-address=127.0.0.1:8099\n")
        listening(systemd)
        systemd.systemctl("start", EXPORTER)
        assert BUILD in answer("127.0.0.1")
        assert BUILD in answer("127.0.0.1", 8099)
