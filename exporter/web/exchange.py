"""One request and its response on a connection."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from typing import cast
from urllib.parse import urlsplit

from tornado.http1connection import HTTP1Connection
from tornado.httputil import (
    HTTPHeaders,
    HTTPInputError,
    HTTPMessageDelegate,
    RequestStartLine,
    ResponseStartLine,
    format_timestamp,
)
from tornado.iostream import StreamClosedError

from exporter.web.response import HttpResponse
from exporter.web.routes import HttpRequest, Routes

Spawn = Callable[[Coroutine[None, None, None]], None]


class HttpExchange(HTTPMessageDelegate):
    """Takes a request from Tornado, has the routes answer it, and hands the response back.

    Tornado calls `headers_received`, `data_received` for each piece of a body, then `finish`.
    """

    def __init__(
        self,
        connection: HTTP1Connection,
        routes: Routes,
        *,
        header_deadline: asyncio.TimerHandle | None,
        write_seconds: float,
        spawn: Spawn,
    ) -> None:
        """`header_deadline` closes the connection unless the header comes first; `spawn` runs the answer."""
        self._connection = connection
        self._routes = routes
        self._header_deadline = header_deadline
        self._write_seconds = write_seconds
        self._spawn = spawn
        self._request: HttpRequest | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        """Keep what the routes look at.

        Raises HTTPInputError, which Tornado answers with 400.
        """
        if self._header_deadline is not None:
            self._header_deadline.cancel()
        start_line = cast("RequestStartLine", start_line)
        hosts = headers.get_list("Host")
        if len(hosts) > 1 or (not hosts and start_line.version != "HTTP/1.0"):
            # RFC 9112, section 3.2.
            message = f"{len(hosts)} Host headers"
            raise HTTPInputError(message)
        self._request = HttpRequest(
            method=start_line.method,
            path=_path(start_line.path),
            accept=headers.get("Accept"),
            accept_encoding=headers.get("Accept-Encoding"),
        )

    def data_received(self, chunk: bytes) -> None:
        """Drop the body: no route reads one."""

    def finish(self) -> None:
        """Answer; the request is complete."""
        if self._request is not None:
            self._spawn(self._answer(self._request))

    async def _answer(self, request: HttpRequest) -> None:
        with ExitStack() as held:
            response = await self._routes.answer(request, held)
            try:
                await self._send(request, response)
            except StreamClosedError:
                # The client went away; it alone has lost something.
                return

    async def _send(self, request: HttpRequest, response: HttpResponse) -> None:
        """Return when the kernel has taken the whole response, or the connection is closed."""
        status = response.status
        body = b"" if request.method == "HEAD" else response.body
        # Header and body go in one write: of two, Tornado may report the second done with the first.
        sent = self._connection.write_headers(
            ResponseStartLine("HTTP/1.1", status.value, status.phrase), _headers(response), body
        )
        deadline = asyncio.get_running_loop().call_later(self._write_seconds, self._connection.stream.close)
        try:
            self._connection.finish()
            await sent
        finally:
            deadline.cancel()


def _path(target: str) -> str:
    """Give the path of a request target, without its query (RFC 9112, sections 3.2.1 and 3.2.2)."""
    if target.startswith("/"):
        return target.partition("?")[0]
    try:
        return urlsplit(target).path or "/"
    except ValueError as error:
        message = "malformed request target"
        raise HTTPInputError(message) from error


def _headers(response: HttpResponse) -> HTTPHeaders:
    return HTTPHeaders(
        {
            "Server": "listen-queue-exporter",
            "Date": format_timestamp(time.time()),
            "Content-Type": response.content_type,
            "Content-Length": str(len(response.body)),
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
            **response.headers,
        }
    )
