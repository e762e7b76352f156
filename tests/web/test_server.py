"""Connections: deadlines, sizes, malformed input, and the end of the server."""

from __future__ import annotations

import http.client
import select
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.errors import RunError
from exporter.web.address import ListenAddress
from exporter.web.limits import Limits
from exporter.web.listening import bind
from testbed.waiting import until
from tests.web.metrics_pages import LARGE_PAGE, TEXT_PAGE, BlockingPage, LargePage, SmallPage, metrics_router
from tests.web.server_thread import TIMEOUT_SECONDS, ServerThread, read_to_end

NEVER_SECONDS = 100 * TIMEOUT_SECONDS
NO_DEADLINES = Limits(
    header_seconds=NEVER_SECONDS,
    body_seconds=NEVER_SECONDS,
    page_seconds=NEVER_SECONDS,
    idle_seconds=NEVER_SECONDS,
    stall_seconds=NEVER_SECONDS,
)


def send_slowly(connection: socket.socket, message: bytes) -> bytes:
    """Send a byte every 10 ms until the server responds or closes, and return its response."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    for position in range(1 << 30):
        assert time.monotonic() < deadline, "the server does not end a request that is sent slowly"
        try:
            connection.sendall(message[position : position + 1] or b"x")
        except (BrokenPipeError, ConnectionResetError):
            break
        if select.select([connection], [], [], 0.01)[0]:
            break
    return read_to_end(connection)


@pytest.mark.parametrize("message", [b"", b"GET /metrics HTTP/1.1\r\nHost: x\r\nX: "])
def test_header_has_to_be_complete_at_the_deadline(message: bytes) -> None:
    """Bytes that keep arriving do not move the deadline."""
    limits = Limits(header_seconds=0.2, idle_seconds=NEVER_SECONDS)
    with ServerThread(metrics_router(SmallPage()), limits) as server, server.connect() as connection:
        assert send_slowly(connection, message) == b""
        assert server.request("/metrics").body == TEXT_PAGE


def test_connection_without_a_request_is_closed() -> None:
    limits = Limits(header_seconds=0.1, idle_seconds=NEVER_SECONDS)
    with ServerThread(metrics_router(SmallPage()), limits) as server:
        assert server.send_raw(b"") == b""


def test_deadlines_of_a_request_end_with_it() -> None:
    """A connection may be idle between two requests for longer, as that of Prometheus between two scrapes."""
    limits = Limits(header_seconds=0.2, page_seconds=0.1, idle_seconds=NEVER_SECONDS)
    with ServerThread(metrics_router(SmallPage()), limits) as server:
        client = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_SECONDS)
        client.request("GET", "/metrics")
        assert client.getresponse().read() == TEXT_PAGE
        before = client.sock
        # A later connection reaches its deadline here, so those of the earlier request have passed as well.
        assert server.send_raw(b"") == b""
        client.request("GET", "/metrics")
        assert client.getresponse().read() == TEXT_PAGE
        assert client.sock is before
        client.close()


@pytest.mark.parametrize("next_header", [None, b"GET / HTTP/1.1\r\nHost: x\r\nX: "])
def test_idle_connection_is_closed(next_header: bytes | None) -> None:
    """A next header that has begun has the time of one."""
    limits = Limits(header_seconds=0.2, idle_seconds=NEVER_SECONDS if next_header else 0.2)
    request = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n"
    with ServerThread(metrics_router(SmallPage()), limits) as server, server.connect() as connection:
        connection.sendall(request)
        response = b""
        while not response.endswith(b"healthy\n"):
            response += connection.recv(4096)
        rest = read_to_end(connection) if next_header is None else send_slowly(connection, next_header)
        assert rest == b""


def test_body_has_to_be_complete_at_the_deadline() -> None:
    message = b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx"
    limits = Limits(body_seconds=0.1, idle_seconds=NEVER_SECONDS)
    with ServerThread(metrics_router(SmallPage()), limits) as server:
        assert server.send_raw(message) == b""


def test_header_above_the_limit_of_size() -> None:
    """It is not read to its end, its client is told so, and one below the limit is served."""
    with ServerThread(metrics_router(SmallPage())) as server:
        assert (
            server.send_raw(b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"x" * 17 * 1024 + b"\r\n\r\n").split()[1]
            == b"431"
        )
        assert server.request("/-/healthy", X="x" * 15 * 1024).status == 200


def test_pipelined_requests_are_served_one_after_the_other() -> None:
    """So they are never two scrapes in flight."""
    request = b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n"
    last = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    with ServerThread(metrics_router(SmallPage(), max_requests=1)) as server:
        responses = server.send_raw(request * 5 + last)
    assert responses.count(b"HTTP/1.1 200 OK\r\n") == 6
    assert responses.count(TEXT_PAGE) == 6


def test_server_continues_after_any_bytes() -> None:
    """They get a response or none, and the next client is served."""
    pieces = st.sampled_from(
        [b"GET / HTTP/1.1\r\n", b"Host: x\r\n", b"\r\n", b"\r\n\r\n", b":", b"\x00", b"%zz"]
    )
    limits = Limits(header_seconds=0.05, body_seconds=0.05, idle_seconds=0.05)
    with ServerThread(metrics_router(SmallPage()), limits) as server:

        @settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
        @given(st.one_of(st.binary(max_size=300), st.lists(pieces, max_size=8).map(b"".join)))
        def send(message: bytes) -> None:
            response = server.send_raw(message)
            assert response == b"" or response.startswith(b"HTTP/1.1 ")

        send()
        # With these limits a slow machine may close the connection before the request is complete.
        until(
            lambda: server.send_raw(b"GET /metrics HTTP/1.0\r\n\r\n"), lambda reply: reply.endswith(TEXT_PAGE)
        )


def test_ipv6() -> None:
    with ExitStack() as stack:
        try:
            server = stack.enter_context(ServerThread(metrics_router(SmallPage()), host="::1"))
        except RunError as error:
            pytest.skip(f"no IPv6 loopback: {error}")
        assert server.request("/metrics").body == TEXT_PAGE


def test_stop_waits_for_no_client() -> None:
    """Silent connections, slow ones and those that are not read are closed long before their deadlines."""
    limits = replace(NO_DEADLINES, stop_seconds=0.05)
    requests = [
        b"",
        b"GET /metr",
        b"GET /-/healthy HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nx",
        b"GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /-/healthy HTTP/1.1\r\nHost: x\r\n\r\n",
    ]
    with ServerThread(metrics_router(LargePage()), limits) as server:
        clients = [server.connect() for _ in requests]
        for client, message in zip(clients, requests, strict=True):
            client.sendall(message)
        for client in clients[3:]:
            assert client.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
        server.stop()
        for client in clients:
            assert len(read_to_end(client)) < len(LARGE_PAGE)
            client.close()


def test_stop_waits_for_a_response_that_has_begun() -> None:
    """It is served although nobody can connect any more; the port is free afterwards."""
    page = BlockingPage()
    limits = Limits(stop_seconds=TIMEOUT_SECONDS)
    with ServerThread(metrics_router(page), limits) as server, ThreadPoolExecutor() as threads:
        scrape = threads.submit(server.request, "/metrics")
        assert page.entered.acquire(timeout=TIMEOUT_SECONDS)
        stopping = threads.submit(server.stop)
        assert until(lambda: is_refused(server), bool)
        page.release.set()
        assert scrape.result(TIMEOUT_SECONDS).body == TEXT_PAGE
        stopping.result(TIMEOUT_SECONDS)
        for listener in bind([ListenAddress("127.0.0.1", server.port)]):
            listener.close()


def is_refused(server: ServerThread) -> bool:
    try:
        server.connect().close()
    except ConnectionRefusedError:
        return True
    except ConnectionResetError:
        # The kernel had accepted it when the listener was closed.
        return False
    return False
