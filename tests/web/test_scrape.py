"""The metrics page: formats, encodings, and the limit of scrapes in flight."""

from __future__ import annotations

import asyncio
import gzip
import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.web.limits import Limits
from exporter.web.negotiation import TextFormat
from exporter.web.request import HttpRequest
from exporter.web.response import HttpResponse
from exporter.web.scrape import ScrapeHandler
from testbed import programs
from testbed.waiting import equals, until
from tests.web.delivery import FakeDelivery
from tests.web.metrics_pages import (
    LARGE_PAGE,
    OPENMETRICS_PAGE,
    TEXT_PAGE,
    BlockingPage,
    LargePage,
    SmallPage,
    metrics_router,
    shared,
)
from tests.web.server_thread import TIMEOUT_SECONDS, Response, ServerThread, read_to_end

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("accept", "page_format", "page"),
    [
        ("*/*", TextFormat.TEXT, TEXT_PAGE),
        ("application/openmetrics-text;version=1.0.0", TextFormat.OPENMETRICS, OPENMETRICS_PAGE),
        ("\xff;q=;;;,", TextFormat.TEXT, TEXT_PAGE),
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_format_and_encoding(accept: str, page_format: TextFormat, page: bytes, encoding: str) -> None:
    """Vary tells caches which headers of the request decide."""
    with ServerThread(metrics_router(SmallPage())) as server:
        response = server.request("/metrics", Accept=accept, Accept_Encoding=encoding)
    assert response.status == 200
    assert response.headers["Content-Type"] == page_format.content_type
    assert response.headers["Vary"] == "Accept, Accept-Encoding"
    assert response.headers["Content-Encoding"] == ("gzip" if encoding == "gzip" else None)
    assert (gzip.decompress(response.body) if encoding == "gzip" else response.body) == page


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_head_has_the_headers_of_get(encoding: str) -> None:
    with ServerThread(metrics_router(SmallPage())) as server:
        get = server.request("/metrics", Accept_Encoding=encoding)
        head = server.request("/metrics", "HEAD", Accept_Encoding=encoding)
    assert head.body == b""
    names = ("Content-Type", "Content-Length", "Content-Encoding", "Vary")
    assert [head.headers[name] for name in names] == [get.headers[name] for name in names]


class FailsOnce:
    """A page whose first call raises an exception."""

    def __init__(self) -> None:
        self._failed = False

    def write(self, *, openmetrics: bool) -> bytes:  # noqa: ARG002  (the page is the same in either format)
        if not self._failed:
            self._failed = True
            raise RuntimeError("secret")
        return TEXT_PAGE


def test_exception_is_logged_and_the_next_scrape_is_served(caplog: pytest.LogCaptureFixture) -> None:
    with ServerThread(metrics_router(FailsOnce(), max_requests=1)) as server:
        response = server.request("/metrics")
        assert until_served(server).body == TEXT_PAGE
    assert response.status == 500
    assert response.body == b"cannot render the metrics page; the exporter's log says why\n"
    [record] = caplog.records
    assert (record.name, record.levelno) == ("exporter.web", logging.ERROR)
    assert record.getMessage() == "cannot render the metrics page"
    assert "secret" in caplog.text


def test_scrapes_above_the_limit_get_503() -> None:
    """Two are being sent, the third is told when to come again, and is served once one of them has ended."""

    async def responses() -> list[HttpResponse]:
        scrapes = ScrapeHandler(shared(SmallPage()), max_requests=2, wait_seconds=0.05)
        deliveries = [FakeDelivery() for _ in range(4)]
        made = [
            await scrapes.handle(HttpRequest("GET", "/metrics", {}, delivery)) for delivery in deliveries[:3]
        ]
        deliveries[0].until_sent.close()
        return [*made, await scrapes.handle(HttpRequest("GET", "/metrics", {}, deliveries[3]))]

    *sent, refused, later = asyncio.run(responses())
    assert [response.status for response in (*sent, later)] == [200, 200, 200]
    assert (refused.status, refused.headers["Retry-After"]) == (503, "1")
    assert (
        refused.body == b"2 scrapes are in flight, and --web.max-requests allows no more; try again later\n"
    )


def test_scrapes_that_wait_for_a_page_share_it() -> None:
    """However many come while it is rendered, and none of them takes a place from others."""
    page = BlockingPage()
    router = metrics_router(page, max_requests=1, wait_seconds=TIMEOUT_SECONDS)
    with ServerThread(router) as server, ThreadPoolExecutor(64) as clients:
        scrapes = [clients.submit(server.request, "/metrics") for _ in range(64)]
        assert page.entered.acquire(timeout=TIMEOUT_SECONDS)
        page.release.set()
        assert {scrape.result(TIMEOUT_SECONDS).status for scrape in scrapes} == {200}


def test_client_that_goes_while_it_waits_is_no_trouble(caplog: pytest.LogCaptureFixture) -> None:
    page = BlockingPage()
    with ServerThread(metrics_router(page, max_requests=1)) as server:
        with server.connect() as connection:
            connection.sendall(REQUEST)
            assert page.entered.acquire(timeout=TIMEOUT_SECONDS)
        page.release.set()
        assert until_served(server).status == 200
    assert caplog.records == []


def until_served(server: ServerThread) -> Response:
    """Scrape until there are fewer in flight than the limit."""
    return until(lambda: server.request("/metrics"), lambda response: response.status != 503)


# On a busy machine the page takes longer than a client is allowed to.
NO_DEADLINE = Limits(page_seconds=3600.0, stall_seconds=3600.0)


def slow_reader(server: ServerThread) -> socket.socket:
    """Request the page and read only its beginning, which shows that the response has begun."""
    connection = server.connect()
    connection.sendall(REQUEST)
    assert connection.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
    return connection


def test_slow_reader_blocks_no_other_and_gets_its_page() -> None:
    with ServerThread(metrics_router(LargePage()), NO_DEADLINE) as server, slow_reader(server) as slow:
        assert server.request("/-/healthy").status == 200
        assert server.request("/metrics").body == LARGE_PAGE
        assert read_to_end(slow).endswith(b"\r\n\r\n" + LARGE_PAGE)


def test_reader_that_takes_nothing_takes_no_place() -> None:
    """As many as there are places read nothing, and the next is served without an error."""
    router = metrics_router(LargePage(), max_requests=1, wait_seconds=TIMEOUT_SECONDS)
    with ServerThread(router, NO_DEADLINE) as server, slow_reader(server) as slow:
        assert server.request("/metrics").status == 200
        assert read_to_end(slow).endswith(LARGE_PAGE)


def test_slow_reader_is_disconnected_at_the_deadline() -> None:
    """It counts no more although it never reads, and it gets only what was in buffers."""
    limits = Limits(stall_seconds=0.1)
    router = metrics_router(LargePage(), max_requests=1)
    with ServerThread(router, limits) as server, slow_reader(server) as slow:
        # This client reads at once, but on a busy machine not always within stall_seconds.
        until(lambda: server.request("/metrics", "HEAD"), lambda response: response.status == 200)
        peer = f"127.0.0.1:{slow.getsockname()[1]}"
        established = ("-Htn", "state", "established", "dst", peer)
        until(lambda: programs.output("ss", *established), equals(""))
        assert len(read_to_end(slow)) < len(LARGE_PAGE)


@pytest.mark.parametrize("leave", [socket.socket.close, lambda one: one.shutdown(socket.SHUT_RDWR)])
def test_reader_that_disconnects_halfway_counts_no_more(
    leave: Callable[[socket.socket], None], caplog: pytest.LogCaptureFixture
) -> None:
    with (
        ServerThread(metrics_router(LargePage(), max_requests=1)) as server,
        slow_reader(server) as slow,
    ):
        leave(slow)
        assert until_served(server).status == 200
    assert caplog.records == []
