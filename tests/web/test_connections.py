"""What becomes of open connections that may serve no further request."""

from __future__ import annotations

import asyncio
import socket
from http import HTTPStatus

import pytest

from exporter.web.admission import Admission
from exporter.web.channel import PlainChannel
from exporter.web.connection import Connection
from exporter.web.connection_state import State
from exporter.web.connections import Connections
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.limits import Limits
from exporter.web.origin import Origin
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.route import Route
from tests.web.server_thread import PLENTY, TIMEOUT_SECONDS, router_of
from tests.web.virtual_time import in_virtual_time, running_clock

LIMITS = Limits(stall_seconds=TIMEOUT_SECONDS, linger_seconds=TIMEOUT_SECONDS)
REQUEST = b"GET / HTTP/1.1\r\nHost: x\r\n\r\n"
# More than the kernel buffers between two unix sockets.
LARGE = "x" * (4 * 1024 * 1024)


class Answer:
    """Responds with a text once `ready` is set."""

    def __init__(self, text: str) -> None:
        self.ready = asyncio.Event()
        self._text = text

    async def handle(self, request: HttpRequest) -> HttpResponse:  # noqa: ARG002  (it is the same for all)
        await self.ready.wait()
        return HttpResponse.text(HTTPStatus.OK, self._text)


async def reached(connection: Connection, state: State) -> None:
    """Wait until the connection is in this state."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while connection.state is not state:  # noqa: ASYNC110  (it has no event)
            await asyncio.sleep(0.01)


async def all_received(client: socket.socket) -> bytes:
    """Read until the server closes."""
    client.settimeout(0)
    received = bytearray()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while True:
            try:
                chunk = client.recv(1 << 20)
            except BlockingIOError:
                await asyncio.sleep(0.01)
                continue
            except ConnectionResetError:
                chunk = b""
            if not chunk:
                return bytes(received)
            received += chunk


async def received_of_two(answer: Answer, share: float, state: State) -> bytes:
    """Return what a client gets that asks twice, where connections end in this state of the first."""
    clock = running_clock()
    allowance = CpuAllowance(lambda: share, clock.now, clock.cpu)
    if share < 1:
        allowance.spend(100.0)
    admission = Admission(allowance, TIMEOUT_SECONDS, 100)
    connections = Connections(router_of(Route("/", answer)), LIMITS, admission)
    ours, client = socket.socketpair()
    with client:
        connection = connections.add(PlainChannel(ours), Origin("1"))
        client.sendall(REQUEST)
        await reached(connection, state)
        client.sendall(REQUEST)
        connections.end()
        answer.ready.set()
        received = await all_received(client)
    connections.close()
    admission.close()
    return received


@pytest.mark.parametrize(
    ("state", "text", "is_ready"), [(State.RESPONSE, "last", False), (State.SENDING, LARGE, True)]
)
def test_a_response_under_way_is_finished_and_is_the_last(state: State, text: str, *, is_ready: bool) -> None:
    async def received() -> bytes:
        answer = Answer(text)
        if is_ready:
            answer.ready.set()
        return await received_of_two(answer, PLENTY, state)

    found = in_virtual_time(received())
    assert found.count(b"HTTP/1.1 200") == 1
    assert found.endswith(f"{text}\n".encode())
    # It is announced where the head was not sent before.
    assert (b"\r\nConnection: close\r\n" in found) is not is_ready


@pytest.mark.parametrize(("share", "state"), [(1e-6, State.ADMISSION), (PLENTY, State.HEADER)])
def test_a_request_that_is_not_served_yet_gets_no_response(share: float, state: State) -> None:
    assert in_virtual_time(received_of_two(Answer(""), share, state)) == b""
