"""Sockets that a service manager hands over: they are served, and what cannot be served is refused."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import privileges, programs
from testbed.daemon import Daemon
from testbed.page import Page, metrics
from testbed.waiting import DEADLINE_SECONDS, until
from tests.broker.broker_processes import broker_of, supervisor_of
from tests.integration import listening_sockets
from tests.integration.metric_values import until_figure

ROOT = Path(__file__).resolve().parents[2]
EXPORTER = [sys.executable, "-m", "exporter"]
# Becomes the exporter, with a descriptor as number 3, which is what LISTEN_FDS counts from.
HAND_OVER = """\
import os, sys
if (passed := int(sys.argv[1])) < 0: os.closerange(3, 100)
else: os.dup2(passed, 3)
os.environ["LISTEN_PID"] = str(os.getpid())
os.execv(sys.executable, [sys.executable, "-m", "exporter"])
"""
CLOSED = -1


class Activated:
    """An exporter that gets port 8099 from systemd-socket-activate, which starts it for the first client."""

    port = 8099

    def __init__(self, folder: Path, *flags: str) -> None:
        activate = [programs.find("systemd-socket-activate"), f"--listen=127.0.0.1:{self.port}"]
        log = folder / "log"
        with log.open("wb") as written:
            self.pid = subprocess.Popen(
                [*activate, *EXPORTER, *flags],
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=written,
                stderr=written,
                preexec_fn=privileges.deny_other_namespaces,  # noqa: PLW1509 # a test has one thread
            ).pid
        until(log.read_text, lambda text: "Listening on" in text)

    def metrics(self) -> Page:
        """The page of metrics, parsed."""
        return metrics(page(self.port))


def page(port: int) -> str:
    """What is served at a port; OSError where it is refused."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=DEADLINE_SECONDS)
    try:
        connection.request("GET", "/metrics")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


def inode(descriptor: Path) -> str:
    return str(descriptor.readlink())


@pytest.mark.netns
def test_the_client_for_whom_it_is_started_is_answered(tmp_path: Path) -> None:
    """With all that listens, by the port that was handed over; the default one is not opened."""
    with listening_sockets.unix("\0queue"):
        served = Activated(tmp_path).metrics()
    assert served.value("listen_queue_accept_limit", port="8099") > 0
    assert served.value("listen_queue_accept_limit", address="@queue") == 16
    with pytest.raises(ConnectionRefusedError):
        page(10511)


@pytest.mark.netns
def test_addresses_in_flags_are_opened_besides(tmp_path: Path) -> None:
    Activated(tmp_path, "--web.listen-address=127.0.0.1:8100").metrics()
    assert metrics(page(8100)).value("listen_queue_accept_limit", port="8099") > 0


@pytest.mark.netns
def test_supervisor_and_broker_do_not_hold_the_port(tmp_path: Path) -> None:
    """Else it would stay taken until the last of them is gone."""
    exporter = Activated(tmp_path)
    page(8099)
    supervisor = supervisor_of(exporter.pid)
    passed = inode(Path(f"/proc/{exporter.pid}/fd/3"))
    assert passed.startswith("socket:")
    for child in (supervisor, broker_of(supervisor)):
        held = set(map(inode, Path(f"/proc/{child}/fd").iterdir()))
        assert len(held) > 1
        assert passed not in held


@pytest.mark.netns
def test_sockets_of_another_process_are_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """The variables may have been inherited; number 3 is then whatever it is."""
    monkeypatch.setenv("LISTEN_FDS", "1")
    monkeypatch.setenv("LISTEN_PID", str(os.getpid()))
    with Daemon() as daemon:
        until_figure(daemon.wait_ready(), 2048, "accept_limit", port="10511")


def refused(count: str, descriptor: int) -> subprocess.CompletedProcess[str]:
    """The exporter with this as LISTEN_FDS, and number 3 as it must not be."""
    return subprocess.run(
        [sys.executable, "-c", HAND_OVER, str(descriptor)],
        cwd=ROOT,
        env=dict(os.environ) | {"LISTEN_FDS": count},
        pass_fds=[descriptor] if descriptor != CLOSED else [],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


ADVICE = "write ListenStream=10511 and Accept=no in the socket unit"
NO_LISTENER = f"descriptor 3 from LISTEN_FDS is no TCP socket that listens; {ADVICE}"


@pytest.mark.netns
@pytest.mark.parametrize(
    ("given", "count", "line"),
    [
        ("unix", "1", NO_LISTENER),
        ("datagram", "1", NO_LISTENER),
        ("connection", "1", NO_LISTENER),
        ("file", "1", "descriptor 3 from LISTEN_FDS is no socket: Socket operation on non-socket"),
        ("closed", "1", "descriptor 3 from LISTEN_FDS is no socket: Bad file descriptor"),
        ("tcp", "2", "descriptor 4 from LISTEN_FDS is no socket: Bad file descriptor"),
        ("tcp", "one", "LISTEN_FDS is 'one' and no number; the service manager sets it"),
    ],
)
def test_what_cannot_be_served_is_refused_with_one_line(given: str, count: str, line: str) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(listening_sockets.tcp("127.0.0.1"))
        made: dict[str, Callable[[], int]] = {
            "tcp": listener.fileno,
            "unix": lambda: stack.enter_context(listening_sockets.unix("\0queue")).fileno(),
            "datagram": lambda: stack.enter_context(socket.socket(type=socket.SOCK_DGRAM)).fileno(),
            "connection": lambda: stack.enter_context(listening_sockets.clients(listener, 1)[0]).fileno(),
            "file": lambda: stack.enter_context(Path("/etc/passwd").open()).fileno(),
            "closed": lambda: CLOSED,
        }
        done = refused(count, made[given]())
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"listen-queue-exporter: {line}\n")
