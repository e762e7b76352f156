"""The metrics page: formats, encodings, and the limit of scrapes in flight."""

from __future__ import annotations

import gzip
import logging
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.web.limits import Limits
from exporter.web.negotiation import Format
from testbed.waiting import until
from tests.web.metrics_pages import (
    LARGE_PAGE,
    OPENMETRICS_PAGE,
    TEXT_PAGE,
    BlockingPage,
    LargePage,
    SmallPage,
    metrics_router,
)
from tests.web.server_thread import TIMEOUT_SECONDS, Response, ServerThread, read_to_end

REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize(
    ("accept", "page_format", "page"),
    [
        ("*/*", Format.TEXT, TEXT_PAGE),
        ("application/openmetrics-text;version=1.0.0", Format.OPENMETRICS, OPENMETRICS_PAGE),
        ("\xff;q=;;;,", Format.TEXT, TEXT_PAGE),
    ],
)
@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_format_and_encoding(accept: str, page_format: Format, page: bytes, encoding: str) -> None:
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
    """Two wait, the third is refused at once, other paths are served, and later scrapes as well."""
    page = BlockingPage()
    with ServerThread(metrics_router(page, max_requests=2)) as server, ThreadPoolExecutor() as clients:
        scrapes = [clients.submit(server.request, "/metrics") for _ in range(2)]
        for _ in scrapes:
            assert page.entered.acquire(timeout=TIMEOUT_SECONDS)
        refused = server.request("/metrics")
        healthy = server.request("/-/healthy")
        page.release.set()
        served = [scrape.result(TIMEOUT_SECONDS) for scrape in scrapes]
        assert [response.status for response in served] == [200, 200]
        assert until_served(server).status == 200
    assert refused.status == 503
    assert (
        refused.body == b"2 scrapes are in flight, and --web.max-requests allows no more; try again later\n"
    )
    assert healthy.status == 200


def test_no_limit() -> None:
    """With more scrapes than worker threads, some wait for a thread."""
    page = BlockingPage()
    with ServerThread(metrics_router(page)) as server, ThreadPoolExecutor(64) as clients:
        scrapes = [clients.submit(server.request, "/metrics") for _ in range(64)]
        assert page.entered.acquire(timeout=TIMEOUT_SECONDS)
        page.release.set()
        assert {scrape.result(TIMEOUT_SECONDS).status for scrape in scrapes} == {200}


def test_scrape_whose_client_is_gone_counts_no_more(caplog: pytest.LogCaptureFixture) -> None:
    page = BlockingPage()
    with ServerThread(metrics_router(page, max_requests=1)) as server:
        with server.connect() as connection:
            connection.sendall(REQUEST)
            assert page.entered.acquire(timeout=TIMEOUT_SECONDS)
        assert server.request("/metrics").status == 503
        page.release.set()
        assert until_served(server).status == 200
    assert caplog.records == []


def until_served(server: ServerThread) -> Response:
    """Scrape until there are fewer in flight than the limit."""
    return until(lambda: server.request("/metrics"), lambda response: response.status != 503)


# On a busy machine the page takes longer than a client is allowed to.
NO_DEADLINE = Limits(write_seconds=3600.0)


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


def test_slow_reader_counts_until_it_has_the_page() -> None:
    with ServerThread(metrics_router(LargePage(), max_requests=1), NO_DEADLINE) as server:
        with slow_reader(server) as slow:
            assert server.request("/metrics").status == 503
            assert read_to_end(slow).endswith(LARGE_PAGE)
        assert until_served(server).status == 200


def test_slow_reader_is_disconnected_at_the_deadline() -> None:
    """It counts no more although it never reads, and it gets only what was in buffers."""
    limits = Limits(write_seconds=0.1)
    router = metrics_router(LargePage(), max_requests=1)
    with ServerThread(router, limits) as server, slow_reader(server) as slow:
        # This client reads at once, but on a busy machine not always within write_seconds.
        until(lambda: server.request("/metrics", "HEAD"), lambda response: response.status == 200)
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
