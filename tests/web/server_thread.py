"""A server in a thread of its own, and a client for it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
from dataclasses import dataclass, field
from typing import Self

from exporter.web.address import ListenAddress
from exporter.web.channel import PlainTransport, Transport
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.limits import Limits
from exporter.web.listening import bind
from exporter.web.route import Route
from exporter.web.router import Responder, Router
from exporter.web.server import Server

# Far beyond what anything here takes: a test that waits so long has failed.
TIMEOUT_SECONDS = 30.0
# More processor time than any client can cause.
PLENTY = 1000.0


def router_of(*routes: Route) -> Router:
    """Return a router with these routes."""
    return Router(routes, "no such path")


@dataclass(frozen=True, slots=True)
class Response:
    """A response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class ServerThread:
    """A server that runs from `with` to its end; `host` is the address of both server and clients."""

    router: Responder
    limits: Limits = field(default_factory=Limits)
    transport: Transport = field(default_factory=PlainTransport)
    cpu_share: float = PLENTY
    host: str = "127.0.0.1"
    port: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _stop: asyncio.Event | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        sockets = bind([ListenAddress(self.host, 0)])
        self.port = sockets[0].getsockname()[1]
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve(sockets, started)))
        self._thread.start()
        assert started.wait(TIMEOUT_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _serve(self, sockets: list[socket.socket], started: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = Server(
            self.router, sockets, CpuAllowance(lambda: self.cpu_share), self.limits, self.transport
        )
        server.start()
        started.set()
        await self._stop.wait()
        await server.stop()

    def stop(self) -> None:
        """Stop the server and wait for the end of its loop."""
        assert self._loop is not None
        assert self._stop is not None
        assert self._thread is not None
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join(TIMEOUT_SECONDS)
        assert not self._thread.is_alive()

    def connect(self) -> socket.socket:
        """Open a connection and send nothing."""
        return socket.create_connection((self.host, self.port), TIMEOUT_SECONDS)

    def request(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Response:
        """Send a request on a connection of its own; `_` in the name of a header stands for `-`."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=TIMEOUT_SECONDS)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Response(response.status, response.headers, response.read())
        finally:
            connection.close()

    def send_raw(self, message: bytes) -> bytes:
        """Send bytes, and return all that the server sends before it closes the connection."""
        with self.connect() as connection:
            connection.sendall(message)
            return read_to_end(connection)


def read_to_end(connection: socket.socket) -> bytes:
    """Read until the server closes the connection, with FIN or RST."""
    received = bytearray()
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(1 << 20):
            received += chunk
    return bytes(received)
