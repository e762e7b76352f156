"""Clients that take more than their part: connections, memory, time."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest

from testbed import figures
from testbed.daemon import Daemon, running
from testbed.waiting import DEADLINE_SECONDS, MEASURED_BY, until

SCRAPE = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
HEALTHY = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
CLIENT_HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(512)
# What is promised is a second; other tests may have the processor meanwhile.
PROMISED_SECONDS = 5.0
MEBIBYTE = 1024


def descriptors(daemon: Daemon) -> int:
    return len(list(Path(f"/proc/{daemon.pid}/fd").iterdir()))


def until_closed(daemon: Daemon, below: int) -> None:
    """Wait until the daemon has fewer descriptors, those of its clients included.

    It serves them within a share of a core, which on a busy machine takes a minute and more.
    """
    until(lambda: descriptors(daemon), lambda count: count < below, 4 * DEADLINE_SECONDS)


def resident(daemon: Daemon) -> int:
    """The memory of the process in KiB."""
    status = Path(f"/proc/{daemon.pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def cpu_seconds(daemon: Daemon) -> float:
    fields = Path(f"/proc/{daemon.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


@contextmanager
def clients(number: int, request: bytes, receive_buffer: int = 0) -> Iterator[list[socket.socket]]:
    """Clients that have sent `request` and read nothing."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with ExitStack() as opened:
        sockets = []
        for _ in range(number):
            client = opened.enter_context(socket.socket())
            if receive_buffer:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
            client.settimeout(30)
            client.connect(("127.0.0.1", 10511))
            client.sendall(request)
            sockets.append(client)
        yield sockets


def scraped(daemon: Daemon) -> float:
    """Scrape on a connection of its own, and return the seconds that it took."""
    started = time.monotonic()
    daemon.scrape()
    seconds = time.monotonic() - started
    assert seconds < PROMISED_SECONDS
    return seconds


@pytest.mark.netns
@pytest.mark.fault(
    "60 connections, with 40 open files",
    "a scrape in a second, no source without descriptors, nothing logged",
)
def test_more_connections_than_descriptors() -> None:
    with Daemon(max_open_files=40).wait_ready().wait_for_log("listening") as daemon:
        log = daemon.log
        with clients(60, b""):
            seconds = max(scraped(daemon) for _ in range(3))
            before = cpu_seconds(daemon)
            time.sleep(2)
            share = (cpu_seconds(daemon) - before) / 2
            page = daemon.metrics()
        assert page.value("listen_queue_exporter_source_success", source="inet") == 1
        assert daemon.log == log
        assert share < 0.2
        until_closed(daemon, 20)
    figures.note(f"{seconds:.2f} s")
    figures.note(f"{share:.0%} of a core")


@pytest.mark.netns
@pytest.mark.fault(
    "1,030 clients that keep their connection", "a scrape in a second, the idle ones closed first"
)
def test_more_idle_clients_than_places() -> None:
    with running("--web.max-connections=100") as daemon, clients(130, HEALTHY) as idle:
        seconds = max(scraped(daemon) for _ in range(3))
        # Until there is processor time for them, the others wait.
        until_closed(daemon, 100 + 30)
        # The newest still have theirs.
        idle[-1].sendall(HEALTHY)
        assert b"200 OK" in idle[-1].recv(100)
    figures.note(f"{seconds:.2f} s")


@pytest.mark.netns
@pytest.mark.fault("500 clients with half a header each", "a scrape in a second")
def test_slow_clients() -> None:
    with running() as daemon, clients(500, b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: "):
        figures.note(f"{max(scraped(daemon) for _ in range(3)):.2f} s")


@pytest.mark.netns
@pytest.mark.fault("half a header of 15 KB and close, 400 times", "memory stays flat")
def test_half_a_header_leaves_nothing() -> None:
    with running("--web.header-timeout=1h") as daemon:
        scraped(daemon)
        before = resident(daemon)
        for _ in range(20):
            with clients(20, b"GET / HTTP/1.1\r\nX: " + b"a" * 15000):
                pass
        until_closed(daemon, 20)
        grown = resident(daemon) - before
        assert grown < 4 * MEBIBYTE
    figures.note(f"{grown / 1024:.1f} MB more")


@pytest.mark.netns
@pytest.mark.fault(
    "200 clients that never read a large page", "a scrape in a second, one page in memory, closed after 3 s"
)
def test_unread_pages_share_memory() -> None:
    with ExitStack() as listeners:
        for number in range(600):
            listeners.enter_context(socket.create_server(("127.0.0.2", 20000 + number)))
        with running(config="defaults: {export: full}\n") as daemon:
            until(daemon.scrape, lambda page: page.count("listen_queue_accept_length{") >= 600)
            before = resident(daemon)
            with clients(200, SCRAPE, receive_buffer=4096):
                seconds = max(scraped(daemon) for _ in range(3))
                grown = resident(daemon) - before
                until_closed(daemon, 30)
        assert grown < 16 * MEBIBYTE
    figures.note(f"{seconds:.2f} s")
    figures.note(f"{grown / 1024:.1f} MB more")


@pytest.mark.netns
@pytest.mark.fault("clients that speak TLS to the plain port", "they are told at once that this is no TLS")
def test_tls_at_the_plain_port() -> None:
    with running() as daemon, clients(50, CLIENT_HELLO) as tls:
        for client in tls:
            assert client.recv(100).startswith(b"HTTP/1.1 400 ")
        figures.note(f"{scraped(daemon):.2f} s")


@pytest.mark.netns
@pytest.mark.fault("a flood of new clients", "a client that keeps its connection is served before them")
def test_a_client_that_keeps_its_connection_is_served_in_a_flood() -> None:
    with running() as daemon, closing(HTTPConnection("127.0.0.1", 10511, timeout=30)) as scraper:
        # Until it is accepted it is a new client as those of the flood are.
        asked(scraper)
        seconds = 0.0
        for _ in range(1 if MEASURED_BY in os.environ else 3):
            time.sleep(1)
            with clients(300, SCRAPE):
                seconds = max(seconds, asked(scraper))
        assert seconds < PROMISED_SECONDS
        until_closed(daemon, 30)
    figures.note(f"{seconds:.2f} s")


def asked(scraper: HTTPConnection) -> float:
    """Ask on a connection that stays open, and return the seconds that it took."""
    started = time.monotonic()
    scraper.request("GET", "/-/healthy")
    response = scraper.getresponse()
    response.read()
    assert response.status == 200
    return time.monotonic() - started
