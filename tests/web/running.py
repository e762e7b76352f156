"""A server in its own thread, and plain ways to talk to it."""

from __future__ import annotations

import asyncio
import http.client
import socket
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Self

from exporter.web import Format, Limits, ListenAddress, Server, Site, bind

# Far beyond what anything here takes; a test that waits so long has failed.
PATIENCE_SECONDS = 30.0

TEXT_PAGE = b"# TYPE demo gauge\ndemo 1\n"
OPENMETRICS_PAGE = b"# TYPE demo gauge\ndemo 1.0\n# EOF\n"


def render(page_format: Format) -> bytes:
    """Give a different page for each format."""
    return OPENMETRICS_PAGE if page_format is Format.OPENMETRICS else TEXT_PAGE


def site(
    *,
    render: Callable[[Format], bytes] = render,
    ready: Callable[[], bool] = lambda: True,
    reload: Callable[[], str | None] = lambda: None,
    telemetry_path: str = "/metrics",
    lifecycle: bool = False,
    max_requests: int = 0,
    version: str = "0.1.0",
) -> Site:
    """Make a site that works, but for what is given."""
    return Site(
        render=render,
        ready=ready,
        reload=reload,
        telemetry_path=telemetry_path,
        lifecycle=lifecycle,
        max_requests=max_requests,
        version=version,
    )


@dataclass
class Answer:
    """A response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class Running:
    """The server, from `with` to its end; `host` is where clients find it."""

    site: Site
    limits: Limits = field(default_factory=Limits)
    host: str = "127.0.0.1"
    port: int = 0
    _loop: asyncio.AbstractEventLoop | None = None
    _ending: asyncio.Event | None = None
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        sockets = bind([ListenAddress(self.host, 0)])
        self.port = sockets[0].getsockname()[1]
        started = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._run(sockets, started)))
        self._thread.start()
        assert started.wait(PATIENCE_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    async def _run(self, sockets: list[socket.socket], started: threading.Event) -> None:
        self._loop, self._ending = asyncio.get_running_loop(), asyncio.Event()
        server = Server(self.site, sockets, self.limits)
        server.start()
        started.set()
        await self._ending.wait()
        await server.stop()

    def stop(self) -> None:
        """Stop the server and wait until its loop has ended."""
        assert self._loop is not None
        assert self._ending is not None
        assert self._thread is not None
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._ending.set)
            self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive()

    def connect(self) -> socket.socket:
        """Open a bare connection."""
        return socket.create_connection((self.host, self.port), PATIENCE_SECONDS)

    def ask(self, path: str, method: str = "GET", body: bytes | None = None, **headers: str) -> Answer:
        """Send one request on a connection of its own; `_` in a header's name stands for `-`."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE_SECONDS)
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body, named)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def say(self, message: bytes) -> bytes:
        """Send bytes, and give everything that comes back before the server closes the connection."""
        with self.connect() as connection:
            connection.sendall(message)
            return read_to_end(connection)


def read_to_end(connection: socket.socket) -> bytes:
    """Read until the other side closes, with or without ceremony."""
    received = b""
    try:
        while chunk := connection.recv(65536):
            received += chunk
    except ConnectionResetError:
        pass
    return received
