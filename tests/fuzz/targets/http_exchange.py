"""A request is the same however its bytes arrive, and gets a response that h11 as a client understands."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus

import h11

from exporter.web.exchange import Exchange, HttpError
from exporter.web.limits import Limits
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from tests.fuzz.target import Target


@dataclass
class _Nobody:
    """The way of a response that is not sent."""

    until_sent: ExitStack = field(default_factory=ExitStack)
    stalled_seconds: float = 0.0

    def abort(self) -> None:
        """Do nothing."""


_NOBODY = _Nobody()


def run(data: bytes) -> None:
    """Read a request that arrives at once and byte by byte, and respond to it."""
    exchange = Exchange(Limits())
    outcome = _read(exchange, [data])
    of_bytes = _read(Exchange(Limits()), [data[at : at + 1] for at in range(len(data))])
    if isinstance(outcome, HttpError):
        # What is no request may be known, and named, before its end.
        assert isinstance(of_bytes, HttpError)
        assert of_bytes.status == outcome.status
    else:
        assert of_bytes == outcome
    if outcome is None:
        return
    method = "GET"
    if isinstance(outcome, HttpRequest):
        method = outcome.method
        assert "?" not in outcome.path or not outcome.path.startswith("/")
        assert all(name == name.lower() and "\n" not in value for name, value in outcome.headers.items())
    else:
        assert 400 <= outcome.status < 600
        assert str(outcome).isprintable()
    _understand(method, *exchange.respond(HttpResponse.text(HTTPStatus.NOT_FOUND, "no"), close=False))


def _read(exchange: Exchange, pieces: list[bytes]) -> HttpRequest | HttpError | None:
    """Return the request, its refusal, or None where it has yet to arrive."""
    for piece in pieces:
        exchange.receive(piece)
        try:
            if exchange.read():
                return exchange.request(_NOBODY)
        except HttpError as error:
            return error
    return None


def _understand(method: str, head: bytes, body: bytes) -> None:
    client = h11.Connection(h11.CLIENT)
    client.send(h11.Request(method=method, target="/", headers=[("Host", "x")]))
    client.send(h11.EndOfMessage())
    client.receive_data(head + body)
    start = client.next_event()
    assert isinstance(start, h11.Response)
    assert start.status_code == HTTPStatus.NOT_FOUND
    assert bool(body) == (method != "HEAD")


TARGET = Target(
    run,
    max_bytes=1024,
    words=(
        *(
            b"GET / HTTP/1.1\r\n",
            b"Host: a\r\n",
            b"Content-Length: 5\r\n",
            b"\r\n\r\n",
            b"\n\n",
            b" HTTP/1.0\n",
        ),
        *(
            b"Transfer-Encoding: chunked\r\n",
            b"Connection: close, keep-alive\r\n",
            b"http://[::1",
            b"\t",
            b"\xff",
        ),
    ),
)
