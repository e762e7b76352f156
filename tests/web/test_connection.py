"""From the bytes of a request to the bytes of its response."""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus

import pytest

from exporter.web.acceptor import AcceptedClient
from exporter.web.admission import Admission
from exporter.web.channel import PlainChannel, PlainTransport
from exporter.web.connection_state import State
from exporter.web.connections import Connections
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.limits import Limits
from exporter.web.origin import Origin
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.route import Route
from tests.web.server_thread import TIMEOUT_SECONDS, ServerThread, router_of
from tests.web.virtual_time import in_virtual_time, running_clock


class Echo:
    """Responds with what it was given, and a header of its own."""

    async def handle(self, request: HttpRequest) -> HttpResponse:
        headers = request.headers
        text = f"{request.path} {headers.get('accept')} {headers.get('accept-encoding')}"
        return HttpResponse.text(HTTPStatus.OK, text, Vary="Accept")


@pytest.fixture(scope="module")
def server() -> Iterator[ServerThread]:
    """A server that no test here changes."""
    routes = Route("/", Echo()), Route("/echo", Echo()), Route("/post", Echo(), methods=("POST",))
    with ServerThread(router_of(*routes)) as running:
        yield running


def test_handler_gets_path_and_accepted_formats(server: ServerThread) -> None:
    response = server.request("/echo", Accept="a/b", Accept_Encoding="x")
    assert response.body == b"/echo a/b x\n"
    without = server.send_raw(b"GET /echo HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert without.endswith(b"\r\n\r\n/echo None None\n")


@pytest.mark.parametrize("path", ["/echo", "/post", "/nothing"])
def test_every_response_has_the_same_headers(server: ServerThread, path: str) -> None:
    response = server.request(path)
    assert response.headers["Server"] == "listen-queue-exporter"
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    assert response.headers["Content-Length"] == str(len(response.body))
    assert response.headers["Cache-Control"] == "no-store"
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert abs(parsedate_to_datetime(response.headers["Date"]).timestamp() - time.time()) < 60
    assert "ETag" not in response.headers


def test_headers_of_the_handler_are_sent(server: ServerThread) -> None:
    assert server.request("/echo").headers["Vary"] == "Accept"


@pytest.mark.parametrize("path", ["/echo", "/post", "/nothing"])
def test_head_has_the_headers_of_get_and_no_body(server: ServerThread, path: str) -> None:
    """Content-Length included (RFC 9110, section 9.3.2)."""
    get, head = server.request(path, "GET"), server.request(path, "HEAD")
    assert head.body == b""
    assert head.status == get.status
    assert without_date(head.headers.items()) == without_date(get.headers.items())


def without_date(headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name != "Date"]


@pytest.mark.parametrize("target", ["/echo?", "/echo?a=1&b=%zz", "/echo?" + "&" * 5000, "http://x/echo?y"])
def test_query_and_authority_are_ignored(server: ServerThread, target: str) -> None:
    """RFC 9112, section 3.2."""
    response = server.request(target)
    assert (response.status, response.body.split()[0]) == (200, b"/echo")


@pytest.mark.parametrize(
    ("target", "status"), [("http://x", b"200"), ("http://[x/metrics", b"400"), ("*", b"404")]
)
def test_target_without_a_path(server: ServerThread, target: str, status: bytes) -> None:
    """An authority alone means the path /; a malformed one is an error of the client."""
    response = server.send_raw(f"GET {target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n".encode())
    assert response.split(b" ")[1] == status


@pytest.mark.parametrize(
    ("message", "status"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", b"400"),
        (b"GET / HTTP/1.0\r\n\r\n", b"200"),
        (b"GET / HTTP/2.0\r\nHost: x\r\n\r\n", b"505"),
        (b"GET /\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nno colon\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"400"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n", b"413"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", b"501"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1000000\r\n", b"411"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx", b"200"),
        (b"\r\nGET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", b"200"),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"400"),
    ],
)
def test_malformed_request_gets_its_status_and_the_connection_is_closed(
    server: ServerThread, message: bytes, status: bytes
) -> None:
    """A request that is only unusual is served."""
    assert server.send_raw(message).split(b" ")[1] == status


def test_a_client_that_was_refused_while_it_waited_is_not_served() -> None:
    """It would be served after its deadline; one request has one response."""

    async def responses() -> bytes:
        clock = running_clock()
        allowance = CpuAllowance(lambda: 1e-6, clock.now, clock.cpu)
        allowance.spend(100.0)
        limits, admission = Limits(linger_seconds=TIMEOUT_SECONDS), Admission(allowance, TIMEOUT_SECONDS, 100)
        ours, client = socket.socketpair()
        with client:
            client.settimeout(TIMEOUT_SECONDS)
            router = router_of(Route("/", Echo()))
            connection = Connections(router, limits, admission).add(PlainChannel(ours), Origin("1"))
            client.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            states = [State.HEADER]
            while State.ADMISSION not in states:
                await asyncio.sleep(0.01)
                states.append(connection.state)
            connection.expire()
            await asyncio.sleep(1.0)
            states.append(connection.state)
            received = client.recv(1 << 16)
            connection.abort()
            admission.close()
        assert states[-1] is State.LINGERING
        return received

    received = in_virtual_time(responses())
    assert received.count(b"HTTP/1.1 ") == received.count(b"HTTP/1.1 503 ") == 1


def test_a_request_in_pieces_is_ended_though_each_waits_for_processor_time() -> None:
    """What one waits for that has no deadline of the request."""

    async def ended() -> State:
        clock = running_clock()
        allowance = CpuAllowance(lambda: 1e-6, clock.now, clock.cpu)
        allowance.spend(100.0)
        limits, admission = Limits(header_seconds=0.5), Admission(allowance, TIMEOUT_SECONDS, 100)
        ours, client = socket.socketpair()
        with client:
            router = router_of(Route("/", Echo()))
            connection = Connections(router, limits, admission).add(PlainChannel(ours), Origin("1"))
            while connection.state is not State.CLOSED and clock.now() < 5.0:
                with suppress(OSError):
                    client.send(b"G")
                await asyncio.sleep(0.01)
            state = connection.state
            connection.abort()
            admission.close()
        return state

    assert in_virtual_time(ended()) is State.CLOSED


def test_a_client_that_finds_no_place_is_told_the_date() -> None:
    """One response is made for all of the same second, and another in the next."""
    dates: set[datetime] = set()
    end = time.monotonic() + TIMEOUT_SECONDS
    while len(dates) < 2 and time.monotonic() < end:
        date = parsedate_to_datetime(asyncio.run(_refusal()).partition(b"Date: ")[2][:29].decode())
        assert abs(date.timestamp() - time.time()) < 60
        dates.add(date)
        time.sleep(0.05)
    assert len(dates) == 2


async def _refusal() -> bytes:
    admission = Admission(CpuAllowance(lambda: 1.0), TIMEOUT_SECONDS, 100)
    connections = Connections(router_of(Route("/", Echo())), Limits(), admission)
    ours, client = socket.socketpair()
    with client:
        client.settimeout(TIMEOUT_SECONDS)
        AcceptedClient(ours, Origin(""), connections, PlainTransport()).refuse()
        return client.recv(1 << 16)


def test_requests_are_not_logged(server: ServerThread, caplog: pytest.LogCaptureFixture) -> None:
    """A port scanner could fill the log otherwise."""
    with caplog.at_level(logging.INFO):
        server.request("/nothing")
        server.request("/", "BREW")
        server.send_raw(b"\x16\x03\x01 no HTTP\r\n\r\n")
    assert caplog.records == []
