"""Requests as bytes, in any pieces, and the bytes of their responses."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus

import pytest

from exporter.web.exchange import Exchange, HttpError
from exporter.web.limits import Limits
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse

SCRAPE = b"GET /metrics?x=1 HTTP/1.1\r\nHost: x\r\nAccept: a/b\r\naccept: c/d\r\n\r\n"
LIMITS = Limits(header_bytes=200, body_bytes=10)
PAGE = HttpResponse(HTTPStatus.OK, b"page")


@dataclass
class NoDelivery:
    """The way of a response that is not sent."""

    until_sent: ExitStack = field(default_factory=ExitStack)
    stalled_seconds: float = 0.0

    def abort(self) -> None:
        """Do nothing."""


def exchange_of(message: bytes) -> Exchange:
    exchange = Exchange(LIMITS, message)
    assert exchange.read()
    return exchange


def request_of(exchange: Exchange) -> HttpRequest:
    return exchange.request(NoDelivery())


def refused(message: bytes) -> tuple[int, str]:
    exchange = Exchange(LIMITS, message)
    with pytest.raises(HttpError) as raised:
        exchange.read()
    head, body = exchange.respond(HttpResponse.text(raised.value.status, str(raised.value)), close=True)
    assert b"\r\nConnection: close\r\n" in head
    assert not exchange.may_continue
    return int(head.split()[1]), body.decode()


def test_a_header_that_comes_twice_has_both_values() -> None:
    """RFC 9110, section 5.3."""
    request = request_of(exchange_of(SCRAPE))
    assert (request.method, request.path) == ("GET", "/metrics")
    assert request.headers == {"host": "x", "accept": "a/b, c/d"}


@pytest.mark.parametrize("empty", [b"", b"\r\n", b"\r\n\r\n\n"])
def test_bytes_of_a_request_may_arrive_one_by_one(empty: bytes) -> None:
    """Empty lines before it are ignored (RFC 9112, section 2.2)."""
    exchange = Exchange(LIMITS)
    for byte in (empty + SCRAPE)[:-1]:
        exchange.receive(bytes([byte]))
        assert not exchange.read()
        assert not exchange.has_head
    exchange.receive(b"\n")
    assert exchange.read()
    assert exchange.has_head


@pytest.mark.parametrize("pieces", [1, 7, 10_000])
def test_a_header_has_a_hundred_lines_at_most(pieces: int) -> None:
    """What comes of a line takes a hundred times its memory; requests behind it do not count."""
    limits = Limits()

    def read(lines: int) -> bool:
        exchange = Exchange(limits)
        message = b"GET / HTTP/1.1\r\nHost: x\r\n" + b"a:b\r\n" * (lines - 3) + b"\r\n"
        whole = message + SCRAPE * 50
        for start in range(0, len(whole), pieces):
            exchange.receive(whole[start : start + pieces])
            if exchange.read():
                return True
        return False

    assert read(100)
    with pytest.raises(HttpError) as raised:
        read(101)
    assert raised.value.status == HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE


def test_a_body_is_waited_for_and_discarded() -> None:
    exchange = Exchange(LIMITS, b"POST /x HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nab")
    assert not exchange.read()
    assert exchange.has_head
    exchange.receive(b"c" + SCRAPE)
    assert exchange.read()
    exchange.respond(PAGE, close=False)
    assert exchange.rest == SCRAPE


def test_next_request_is_in_the_rest() -> None:
    """Also where a client sends an empty line behind a body."""
    exchange = exchange_of(SCRAPE + b"\r\n" + SCRAPE)
    exchange.respond(PAGE, close=False)
    assert exchange.may_continue
    exchange = exchange_of(exchange.rest)
    assert request_of(exchange).path == "/metrics"
    assert exchange.rest == b""
    assert Exchange(LIMITS, b"\r\n").received_bytes == 0


@pytest.mark.parametrize(
    ("message", "continues"),
    [
        (b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: a, Close\r\n\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
        # What curl --http2 sends: it goes on with HTTP/1.1.
        (b"GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", True),
    ],
)
def test_who_may_send_another_request(message: bytes, *, continues: bool) -> None:
    """The response tells the others that it is the last."""
    exchange = exchange_of(message)
    head, body = exchange.respond(PAGE, close=False)
    assert exchange.may_continue is continues
    assert (b"\r\nConnection: close\r\n" in head) is not continues
    assert body == b"page"


def test_body_of_a_response_is_not_copied() -> None:
    """Many clients share one page."""
    assert exchange_of(SCRAPE).respond(PAGE, close=False)[1] is PAGE.body


@pytest.mark.parametrize("close", [False, True])
def test_head_gets_no_body(*, close: bool) -> None:
    """Nor where its request is refused: the client would take it for the next response."""
    head, body = exchange_of(b"HEAD / HTTP/1.1\r\nHost: x\r\n\r\n").respond(PAGE, close=close)
    assert body == b""
    assert b"\r\nContent-Length: 4\r\n" in head


@pytest.mark.parametrize("is_complete", [False, True])
def test_a_header_above_the_limit(*, is_complete: bool) -> None:
    """Whether or not its end arrived with the bytes beyond the limit; a body does not count."""
    beginning = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\nX: "
    end = b"\r\n\r\n"
    fill = b"x" * (LIMITS.header_bytes - len(beginning + end))
    exchange_of(beginning + fill + end + b"0123456789")
    message = beginning + fill + b"x" * 5 + (end if is_complete else b"")
    assert refused(message) == (431, "a header has 200 bytes at most\n")


@pytest.mark.parametrize(
    ("lines", "status", "text"),
    [
        (b"\x16\x03\x01", 400, "illegal request line"),
        (b"GET /\r\n\r\n", 400, "illegal request line: bytearray(b'GET /')"),
        (b"GET / HTTP/1.1\r\n\r\n", 400, "Missing mandatory Host: header"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nHost: x\r\n\r\n", 400, "Found multiple Host: headers"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, "bad Content-Length"),
        (b"GET / HTTP/2.0\r\n\r\n", 505, "only HTTP/1.1 and HTTP/1.0"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\n", 413, "10 bytes at most"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", 411, "needs a Content-Length"),
        (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip\r\n\r\n", 501, "chunked is supported"),
    ],
)
def test_a_refusal_says_why(lines: bytes, status: int, text: str) -> None:
    refusal = refused(lines)
    assert refusal[0] == status
    assert text in refusal[1]


def test_a_refusal_quotes_no_more_than_a_line() -> None:
    assert len(refused(b"x" * 190 + b"\r\n\r\n")[1]) < 200


def test_a_client_that_waits_for_100_is_told_to_send_its_body_at_once() -> None:
    """RFC 9110, section 10.1.1. Of HTTP/1.0, and without a body, the header means nothing."""
    head = "POST / HTTP/1.{}\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: {}\r\n\r\n"
    status, text = refused(head.format(1, 2).encode())
    assert (status, text) == (417, "send the body at once, without Expect\n")
    assert exchange_of(head.format(1, 0).encode()).has_head
    assert exchange_of(head.format(0, 2).encode() + b"ab").has_head
