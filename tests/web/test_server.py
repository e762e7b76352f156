"""Connections: deadlines, sizes, nonsense, and the end."""

from __future__ import annotations

import http.client
import select
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.web import Format, Limits, ListenAddress, bind
from tests.web.running import PATIENCE_SECONDS, TEXT_PAGE, Running, read_to_end, site

_NEVER = 100 * PATIENCE_SECONDS
_BIG_PAGE = b"demo 1\n" * (32 * 1024 * 1024 // 7)


def _dribble(connection: socket.socket, message: bytes) -> bytes:
    """Send a byte now and then until the server answers or closes, and give what it said."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    for number in range(1 << 30):
        assert time.monotonic() < deadline, "the server let the client dribble on"
        try:
            connection.sendall(message[number : number + 1] or b"x")
        except (BrokenPipeError, ConnectionResetError):
            break
        if select.select([connection], [], [], 0.01)[0]:
            break
    return read_to_end(connection)


@pytest.mark.parametrize("message", [b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: "])
def test_slow_header_is_dropped_at_the_deadline(message: bytes) -> None:
    """The deadline is for the whole header: bytes that trickle in do not move it."""
    limits = Limits(header_seconds=0.2, idle_seconds=_NEVER)
    with Running(site(), limits) as running, running.connect() as connection:
        assert _dribble(connection, message) == b""
        assert running.ask("/metrics").body == TEXT_PAGE


def test_silent_client_is_dropped_at_the_deadline() -> None:
    """Who connects has to say something."""
    with Running(site(), Limits(header_seconds=0.1, idle_seconds=_NEVER)) as running:
        assert running.say(b"") == b""


def test_deadlines_end_with_what_they_are_for() -> None:
    """A connection that has been of use may stay idle longer, as that of Prometheus between two scrapes."""
    limits = Limits(header_seconds=0.2, write_seconds=0.1, idle_seconds=_NEVER)
    with Running(site(), limits) as running:
        kept = http.client.HTTPConnection("127.0.0.1", running.port, timeout=PATIENCE_SECONDS)
        kept.request("GET", "/metrics")
        assert kept.getresponse().read() == TEXT_PAGE
        before = kept.sock
        # Connected later and dropped by now: the deadlines of the kept connection have passed as well.
        assert running.say(b"") == b""
        kept.request("GET", "/metrics")
        assert kept.getresponse().read() == TEXT_PAGE
        assert kept.sock is before
        kept.close()


def test_idle_connection_is_dropped() -> None:
    """Between two requests there is another limit, which holds for a header that trickles in as well."""
    limits = Limits(header_seconds=_NEVER, idle_seconds=0.2)
    request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
    with Running(site(), limits) as running, running.connect() as connection:
        connection.sendall(request)
        head = b""
        while not head.endswith(b"healthy\n"):
            head += connection.recv(4096)
        assert _dribble(connection, b"GET / HTTP/1.1\r\nHost: x\r\nX: ") == b""


def test_slow_body_is_dropped() -> None:
    """A body that was announced has to come."""
    message = b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx"
    limits = Limits(body_seconds=0.1, idle_seconds=_NEVER)
    with Running(site(lifecycle=True), limits) as running:
        assert running.say(message) == b""


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.0\r\n\r\n", b"200"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", b"400"),
        (b"GET /\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1000000\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", b"200"),
        (b"\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"200"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
)
def test_first_answer_to_odd_requests(message: bytes, status: bytes) -> None:
    """Malformed ones get 400, and the connection is closed."""
    with Running(site()) as running:
        assert running.say(message).split(b" ")[1] == status


def test_header_over_the_limit() -> None:
    """Nobody reads it to the end, and the server goes on; one below the limit is served."""
    with Running(site()) as running:
        assert running.say(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 17 * 1024 + b"\r\n\r\n") == b""
        assert running.ask("/-/healthy", X="x" * 15 * 1024).status == 200


def test_requests_in_one_piece() -> None:
    """Pipelined requests are answered in order, and one scrape at a time holds no place for the next."""
    request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with Running(site(max_requests=1)) as running:
        reply = running.say(request * 5 + last)
    assert reply.count(b"HTTP/1.1 200 OK\r\n") == 6
    assert reply.count(TEXT_PAGE) == 6


def test_nonsense_leaves_the_server_standing() -> None:
    """Whatever bytes come, they are answered or dropped, and the next client is served."""
    pieces = st.sampled_from(
        [b"GET / HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"\r\n\r\n", b":", b"\x00", b"%zz"]
    )
    limits = Limits(header_seconds=0.05, body_seconds=0.05, idle_seconds=0.05)
    with Running(site(), limits) as running:

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.one_of(st.binary(max_size=300), st.lists(pieces, max_size=8).map(b"".join)))
        def say(message: bytes) -> None:
            reply = running.say(message)
            assert reply == b"" or reply.startswith(b"HTTP/1.1 ")

        say()
        assert running.ask("/metrics").body == TEXT_PAGE


def test_ipv6() -> None:
    """The same over IPv6."""
    try:
        running = Running(site(), host="::1").__enter__()
    except Exception:  # noqa: BLE001  (bind's own tests say whether it failed rightly)
        pytest.skip("this machine has no IPv6 loopback")
    try:
        assert running.ask("/metrics").body == TEXT_PAGE
    finally:
        running.stop()


def test_stop_waits_for_no_client() -> None:
    """Silent, slow and unread connections are all closed, long before any deadline of theirs."""
    limits = Limits(_NEVER, _NEVER, _NEVER, _NEVER, stop_seconds=0.05)
    opening = [
        b"",
        b"GET /metr",
        b"POST /-/reload HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    with Running(site(render=lambda _: _BIG_PAGE, lifecycle=True), limits) as running:
        clients = [running.connect() for _ in opening]
        for client, message in zip(clients, opening, strict=True):
            client.sendall(message)
        for client in clients[3:]:
            assert client.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
        running.stop()
        for client in clients:
            assert len(read_to_end(client)) < len(_BIG_PAGE)
            client.close()


def test_stop_leaves_a_response_its_time() -> None:
    """A scrape that has begun is served while nobody new gets in; the port is free afterwards."""
    entered, release = threading.Event(), threading.Event()

    def render(_page_format: Format) -> bytes:
        entered.set()
        assert release.wait(PATIENCE_SECONDS)
        return TEXT_PAGE

    limits = Limits(stop_seconds=PATIENCE_SECONDS)
    with Running(site(render=render), limits) as running, ThreadPoolExecutor() as threads:
        scrape = threads.submit(running.ask, "/metrics")
        assert entered.wait(PATIENCE_SECONDS)
        stopping = threads.submit(running.stop)
        _wait_until_refused(running)
        release.set()
        assert scrape.result(PATIENCE_SECONDS).body == TEXT_PAGE
        stopping.result(PATIENCE_SECONDS)
        for listener in bind([ListenAddress("127.0.0.1", running.port)]):
            listener.close()


def _wait_until_refused(running: Running) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        try:
            running.connect().close()
        except ConnectionRefusedError:
            return
        except ConnectionResetError:
            # It had been accepted by the kernel when the listener closed.
            continue
    pytest.fail("the server still accepts connections")
