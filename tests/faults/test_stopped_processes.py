"""SIGSTOP of one process of the exporter after the other: what goes on meanwhile, and what comes back."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP

import pytest

from testbed import figures
from testbed.daemon import Daemon
from testbed.netns import Namespaces
from testbed.page import Page, metrics
from testbed.waiting import DEADLINE_SECONDS, equals, until
from tests.broker.broker_processes import processes, state, wait_for_child
from tests.integration import listening_sockets
from tests.integration.metric_values import figure, until_figure, until_sampled
from tests.integration.other_namespaces import only, until_shown, watching
from tests.integration.service import Service

pytestmark = pytest.mark.netns

CONFIG = only("other")
# What is promised is a second; other tests may have the processor meanwhile.
PROMISED_SECONDS = 5.0
# A figure that is not sampled any more leaves the page before.
STOPPED_SECONDS = 7.0
# Beyond which no figure is shown.
MAX_AGE_SECONDS = 5.0
REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


def stop(pid: int) -> None:
    """Send SIGSTOP, and return when the process has stopped."""
    os.kill(pid, SIGSTOP)
    until(lambda: state(pid), equals("T"))


def until_gone(pids: list[int]) -> None:
    """Return when none of these processes runs."""
    until(lambda: {state(pid) for pid in pids} - {"", "Z", "X"}, equals(set()))


def listen_later() -> list[socket.socket]:
    return [listening_sockets.tcp("127.0.0.1", 8001, backlog=21), listening_sockets.unix("later.sock")]


def listen_at_last() -> list[socket.socket]:
    return [listening_sockets.unix("last.sock")]


def check_own_namespace(daemon: Daemon) -> float:
    """Fail where a page is late or has a wrong figure; return how many seconds it took."""
    began = time.monotonic()
    page = daemon.metrics()
    seconds = time.monotonic() - began
    assert seconds < PROMISED_SECONDS
    assert page.value("listen_queue_exporter_source_success", source="inet", netns="host") == 1
    assert page.value("listen_queue_accept_length", netns="host", port="8000") == 3
    assert page.value("listen_queue_accept_limit", netns="host", port="8000") == 16
    assert page.value("listen_queue_accept_limit", netns="host", port="8001") == 21
    # Of the other namespace the page has what is right, or nothing.
    assert set(page.all("listen_queue_accept_limit", netns="other").values()) <= {7.0}
    return seconds


@pytest.mark.parametrize("name", ["supervisor", "broker", "file_broker"])
@pytest.mark.fault(
    "SIGSTOP of the supervisor, the broker or the file broker",
    "pages in a second, figures of the own namespace right; after SIGCONT new listeners get their names",
)
def test_a_process_beside_the_exporter(name: str, tmp_path: Path) -> None:
    os.chdir(tmp_path)
    # The broker finds the process that has a socket, the file broker the file of a relative path.
    named = {"port": "8001", "process": "later"}
    with Namespaces() as namespaces, ExitStack() as stack:
        namespaces.named("other").listen_tcp(8080, backlog=7)
        listener = stack.enter_context(listening_sockets.tcp("127.0.0.1", 8000, backlog=16))
        daemon = stack.enter_context(watching(CONFIG))
        until_shown(daemon, "other", (8080, 7))
        until_figure(daemon, 0, "accept_length", netns="host", port="8000")
        family = processes(daemon.pid)
        stop(family[name])
        clients = listening_sockets.clients(listener, 3)
        stack.enter_context(Service(b"later", listen_later))
        until_figure(daemon, 3, "accept_length", netns="host", port="8000")
        until_figure(daemon, 21, "accept_limit", netns="host", port="8001")
        slowest, began = 0.0, time.monotonic()
        while time.monotonic() < began + STOPPED_SECONDS:
            slowest = max(slowest, check_own_namespace(daemon))
            time.sleep(0.1)
        if name == "broker":
            assert figure(daemon, "accept_limit", **named) is None
        if name == "file_broker":
            assert figure(daemon, "accept_limit", address="later.sock") == 16
        os.kill(family[name], SIGCONT)
        began = time.monotonic()
        until_figure(daemon, 21, "accept_limit", **named)
        stack.enter_context(Service(b"last", listen_at_last))
        last = {"address": f"{tmp_path}/last.sock", "process": "last"}
        # What was asked of a broker that has not gone on yet is asked again after a minute.
        until(lambda: figure(daemon, "accept_limit", **last), equals(16), 2 * DEADLINE_SECONDS)
        figures.note(f"{name.replace('_', ' ')}: a page in {slowest:.2f} s at most")
        figures.note(f"names {time.monotonic() - began:.1f} s after SIGCONT")
        for source in ("namespaces", "owners", "inet"):
            until_figure(daemon, 1, "exporter_source_success", source=source, netns="host")
        until_shown(daemon, "other", (8080, 7))
        check_own_namespace(daemon)
        assert processes(daemon.pid) == family
        assert daemon.stop() == 0
        until_gone(list(family.values()))
        for client in clients:
            client.close()


@pytest.mark.fault(
    "SIGSTOP of the supervisor, and the broker is killed",
    "pages in a second, figures of the own namespace right; after SIGCONT there is another broker",
)
def test_a_supervisor_that_is_stopped_while_the_broker_is_killed() -> None:
    with Namespaces() as namespaces, ExitStack() as stack:
        other = namespaces.named("other")
        other.listen_tcp(8080, backlog=7)
        listener = stack.enter_context(listening_sockets.tcp("127.0.0.1", 8000, backlog=16))
        stack.enter_context(listening_sockets.tcp("127.0.0.1", 8001, backlog=21))
        daemon = stack.enter_context(watching(CONFIG))
        until_shown(daemon, "other", (8080, 7))
        family = processes(daemon.pid)
        stop(family["supervisor"])
        os.kill(family["broker"], SIGKILL)
        clients = listening_sockets.clients(listener, 3)
        until_figure(daemon, 3, "accept_length", netns="host", port="8000")
        until_figure(daemon, 0, "exporter_source_success", source="namespaces", netns="host")
        other.listen_tcp(8081, backlog=7)
        until_sampled(daemon, "inet", 10)
        check_own_namespace(daemon)
        os.kill(family["supervisor"], SIGCONT)
        began = time.monotonic()
        until_figure(daemon, 1, "exporter_source_success", source="namespaces", netns="host")
        until_shown(daemon, "other", (8080, 7), (8081, 7))
        figures.note(f"back {time.monotonic() - began:.1f} s after SIGCONT")
        assert wait_for_child(family["supervisor"], "lqe-broker") != [family["broker"]]
        check_own_namespace(daemon)
        for client in clients:
            client.close()


@pytest.mark.fault(
    "SIGSTOP of the exporter while it keeps network namespaces open",
    "its broker ends it after 17 s, so that it keeps no container's namespace; no process is left",
)
def test_the_exporter() -> None:
    with Namespaces() as namespaces:
        namespaces.named("other").listen_tcp(8080, backlog=7)
        with watching(CONFIG) as daemon:
            until_shown(daemon, "other", (8080, 7))
            family = processes(daemon.pid)
            stop(daemon.pid)
            began = time.monotonic()
            assert daemon.wait() == -SIGKILL
            seconds = time.monotonic() - began
            until_gone(list(family.values()))
            daemon_log = daemon.log
            assert f"lqe-broker: process {daemon.pid} asked for nothing in 17 s" in daemon_log
            assert "Traceback" not in daemon_log
            # No sooner: a machine that is busy may stop it for a while.
            assert seconds > 10
            figures.note(f"{seconds:.0f} s")


@pytest.mark.fault(
    "SIGSTOP of an exporter that keeps no network namespace open, for longer than figures are valid",
    "the first page after SIGCONT has no figure from before; then all goes on",
)
def test_an_exporter_that_is_not_watched() -> None:
    with (
        listening_sockets.tcp("127.0.0.1", 8000, backlog=16) as listener,
        Daemon(config="defaults: {export: full}\n").wait_ready() as daemon,
    ):
        until_figure(daemon, 0, "accept_length", port="8000")
        stop(daemon.pid)
        clients = listening_sockets.clients(listener, 3)
        # It is asked before it goes on.
        with socket.create_connection(("127.0.0.1", daemon.port)) as scraper:
            scraper.sendall(REQUEST)
            time.sleep(MAX_AGE_SECONDS + 1)
            os.kill(daemon.pid, SIGCONT)
            assert shown(response(scraper)) in ([], [3.0])
        until_figure(daemon, 3, "accept_length", port="8000")
        until_figure(daemon, 1, "exporter_source_success", source="inet")
        assert daemon.request("/-/ready").status == 200
        assert daemon.stop() == 0
        for client in clients:
            client.close()


def response(scraper: socket.socket) -> Page:
    """Read a response to its end."""
    received = b""
    while part := scraper.recv(1 << 20):
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200 ")
    return metrics(body.decode())


def shown(page: Page) -> list[float]:
    """What a page has of the length of the queue."""
    return list(page.all("listen_queue_accept_length", port="8000").values())
