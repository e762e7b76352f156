"""The HTTP server: connections in, exchanges out."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Coroutine, Sequence
from typing import cast
from weakref import WeakSet

from tornado.http1connection import HTTP1Connection
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPConnection, HTTPMessageDelegate, HTTPServerConnectionDelegate

from exporter.web.exchange import HttpExchange
from exporter.web.limits import Limits
from exporter.web.routes import Routes
from exporter.web.site import Site

_log = logging.getLogger("exporter.web")

_DEFAULT_LIMITS = Limits()


class Server(HTTPServerConnectionDelegate):
    """Serves a site on sockets that listen already.

    `start` and `stop` are called in the thread of a running asyncio loop, once each; `stop` closes the
    sockets.
    """

    def __init__(
        self, site: Site, sockets: Sequence[socket.socket], limits: Limits = _DEFAULT_LIMITS
    ) -> None:
        """Nothing is accepted before `start`."""
        self._sockets = sockets
        self._limits = limits
        self._routes = Routes(site)
        self._answers: set[asyncio.Task[None]] = set()
        self._seen: WeakSet[object] = WeakSet()
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
        _quieten_tornado()
        self._http.add_sockets(self._sockets)

    async def stop(self) -> None:
        """Stop listening, leave responses on their way `stop_seconds`, then close every connection."""
        self._http.stop()
        if self._answers:
            await asyncio.wait(self._answers, timeout=self._limits.stop_seconds)
        await self._http.close_all_connections()

    def start_request(self, server_conn: object, request_conn: HTTPConnection) -> HTTPMessageDelegate:
        """Await a request; Tornado calls this for each, on a new connection as soon as it is accepted."""
        # This server speaks HTTP/1 only, and only that class has the stream.
        connection = cast("HTTP1Connection", request_conn)
        return HttpExchange(
            connection,
            self._routes,
            header_deadline=self._first_header_deadline(server_conn, connection),
            write_seconds=self._limits.write_seconds,
            spawn=self._spawn,
        )

    def _first_header_deadline(
        self, server_conn: object, connection: HTTP1Connection
    ) -> asyncio.TimerHandle | None:
        """Limit the wait for the first header; later ones fall under Tornado's own timeout (see Limits)."""
        if server_conn in self._seen:
            return None
        self._seen.add(server_conn)
        loop = asyncio.get_running_loop()
        # A connection that is closed before may be closed again without harm.
        return loop.call_later(self._limits.header_seconds, connection.stream.close)

    def _spawn(self, answer: Coroutine[None, None, None]) -> None:
        task = asyncio.get_running_loop().create_task(answer)
        self._answers.add(task)
        task.add_done_callback(self._answers.discard)


def _quieten_tornado() -> None:
    """Keep Tornado from logging a line for each malformed request, unless debugging is on.

    A port scanner must not be able to fill the log.
    """
    debugging = _log.isEnabledFor(logging.DEBUG)
    logging.getLogger("tornado.general").setLevel(logging.DEBUG if debugging else logging.ERROR)
