"""The HTTP front as a whole: any bytes on a connection, and other clients are served as before."""

from __future__ import annotations

import contextlib
import logging
import re
import socket

from tests.fuzz.target import Target, parts
from tests.web.metrics_pages import TEXT_PAGE, SmallPage, metrics_router
from tests.web.server_thread import ServerThread, read_to_end

# 500 would be an exception of the exporter's own.
_RESPONSE = re.compile(rb"HTTP/1\.1 (?!500)[1-5][0-9][0-9] ")


class _Errors(logging.Handler):
    """Keeps what is logged as an error, such as an exception that nothing handles."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.messages: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep it."""
        self.messages.append(record.getMessage())


def run(data: bytes) -> None:
    """Send two pieces on one connection and close it, then ask for the page on another."""
    errors = _Errors()
    logging.getLogger().addHandler(errors)
    try:
        with ServerThread(metrics_router(SmallPage())) as server:
            with server.connect() as connection:
                response = _send(connection, parts(data, 2))
            assert not response or _RESPONSE.match(response)
            assert server.request("/metrics").body == TEXT_PAGE
    finally:
        logging.getLogger().removeHandler(errors)
    assert errors.messages == []


def _send(connection: socket.socket, pieces: list[bytes]) -> bytes:
    # The server may have closed the connection after the first piece.
    with contextlib.suppress(BrokenPipeError, ConnectionResetError):
        for piece in pieces:
            connection.sendall(piece)
        connection.shutdown(socket.SHUT_WR)
    with contextlib.suppress(OSError):
        return read_to_end(connection)
    return b""


TARGET = Target(
    run,
    max_bytes=4096,
    words=(
        *(
            b"GET /metrics HTTP/1.1\r\n",
            b"POST ",
            b"HEAD ",
            b"Host: a\r\n",
            b"Content-Length: 5\r\n",
            b"\r\n",
        ),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"Connection: close\r\n",
            b"Expect: 100-continue\r\n",
            b" HTTP/1.0\r\n",
        ),
        *(b"http://[::1", b"*", b"\x16\x03\x01", b"\0", b"\n", b"\xff", b"0\r\n\r\n"),
    ),
)
