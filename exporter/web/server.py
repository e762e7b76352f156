"""The HTTP server: accepts connections, and makes an exchange of each request on them."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Sequence
from typing import cast
from weakref import WeakSet

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate, HTTPServerConnectionDelegate

from exporter.web.exchange import HttpExchange
from exporter.web.limits import Limits
from exporter.web.response_tasks import ResponseTasks
from exporter.web.router import Router

_log = logging.getLogger("exporter.web")

_DEFAULT_LIMITS = Limits()


class Server(HTTPServerConnectionDelegate):
    """Serves the routes of `router` on listening sockets, which it closes in the end.

    `start` and `stop` are called once each, in the thread of a running asyncio loop.
    """

    def __init__(
        self, router: Router, sockets: Sequence[socket.socket], limits: Limits = _DEFAULT_LIMITS
    ) -> None:
        self._router = router
        self._sockets = sockets
        self._limits = limits
        self._tasks = ResponseTasks()
        self._known_connections: WeakSet[object] = WeakSet()
        self._http = HTTPServer(
            self,
            idle_connection_timeout=limits.idle_seconds,
            body_timeout=limits.body_seconds,
            max_header_size=limits.header_bytes,
            max_body_size=limits.body_bytes,
            max_buffer_size=limits.read_buffer_bytes,
            chunk_size=limits.header_bytes,
        )

    def start(self) -> None:
        """Accept connections."""
        _limit_tornado_log()
        self._http.add_sockets(self._sockets)

    async def stop(self) -> None:
        """Stop listening, give unfinished responses `stop_seconds`, then close every connection."""
        self._http.stop()
        await self._tasks.wait(self._limits.stop_seconds)
        await self._http.close_all_connections()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Return what takes the next request; Tornado calls this as soon as a connection is accepted."""
        # Tornado's server speaks HTTP/1 only, and only the class of that has the stream.
        connection = cast("HTTP1Connection", request_conn)
        return HttpExchange(
            connection,
            self._router,
            self._tasks,
            header_deadline=self._first_header_deadline(server_conn, connection),
            write_seconds=self._limits.write_seconds,
        )

    def _first_header_deadline(
        self, server_conn: object, connection: HTTP1Connection
    ) -> asyncio.TimerHandle | None:
        """Limit the wait for the first header; later ones fall under Tornado's own timeout (see Limits)."""
        if server_conn in self._known_connections:
            return None
        self._known_connections.add(server_conn)
        loop = asyncio.get_running_loop()
        # To close a connection that is closed already does nothing.
        return loop.call_later(self._limits.header_seconds, connection.stream.close)


def _limit_tornado_log() -> None:
    """Keep Tornado from logging a line for each malformed request, unless the log level is debug.

    Otherwise a port scanner could fill the log.
    """
    debugging = _log.isEnabledFor(logging.DEBUG)
    logging.getLogger("tornado.general").setLevel(logging.DEBUG if debugging else logging.ERROR)
