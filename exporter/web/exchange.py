"""One request and its response on a connection."""

from __future__ import annotations

import asyncio
import time
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

from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.response_tasks import ResponseTasks
from exporter.web.router import Router


class HttpExchange(HTTPMessageDelegate):
    """Takes a request from Tornado, and writes the router's response to the connection.

    Tornado calls `headers_received`, `data_received` for each piece of a body, then `finish`.
    """

    def __init__(
        self,
        connection: HTTP1Connection,
        router: Router,
        tasks: ResponseTasks,
        *,
        header_deadline: asyncio.TimerHandle | None,
        write_seconds: float,
    ) -> None:
        """`header_deadline` closes the connection unless it is cancelled by the arrival of the header."""
        self._connection = connection
        self._router = router
        self._tasks = tasks
        self._header_deadline = header_deadline
        self._write_seconds = write_seconds
        self._request: HttpRequest | None = None

    def headers_received(
        self, start_line: RequestStartLine | ResponseStartLine, headers: HTTPHeaders
    ) -> None:
        """Take the request from its header.

        Raises HTTPInputError, to which Tornado responds with 400.
        """
        if self._header_deadline is not None:
            self._header_deadline.cancel()
        start_line = cast("RequestStartLine", start_line)
        hosts = headers.get_list("Host")
        if len(hosts) > 1 or (not hosts and start_line.version != "HTTP/1.0"):
            # RFC 9112, section 3.2.
            raise HTTPInputError(f"{len(hosts)} Host headers")
        self._request = HttpRequest(
            method=start_line.method,
            path=_path(start_line.path),
            accept=headers.get("Accept"),
            accept_encoding=headers.get("Accept-Encoding"),
            until_sent=ExitStack(),
        )

    def data_received(self, chunk: bytes) -> None:
        """Discard the body: no route has a use for one."""

    def finish(self) -> None:
        """Respond, since the request is complete."""
        if self._request is not None:
            self._tasks.start(self._respond(self._request))

    async def _respond(self, request: HttpRequest) -> None:
        with request.until_sent:
            response = await self._router.respond(request)
            try:
                await self._send(request, response)
            except StreamClosedError:
                # The client has closed the connection, and nobody else misses the response.
                return

    async def _send(self, request: HttpRequest, response: HttpResponse) -> None:
        """Return when the kernel has taken the whole response.

        Raises StreamClosedError where the connection is closed before that.
        """
        status = response.status
        body = b"" if request.method == "HEAD" else response.body
        # Header and body in one write: with two, Tornado may report the second as done along with the first.
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
    """Return the path of a request target, without its query (RFC 9112, sections 3.2.1 and 3.2.2).

    Raises HTTPInputError.
    """
    if target.startswith("/"):
        return target.partition("?")[0]
    try:
        return urlsplit(target).path or "/"
    except ValueError as error:
        raise HTTPInputError("malformed request target") from error


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
