"""The metrics page: formats, encodings, and how many at once."""

from __future__ import annotations

import gzip
import logging
import socket
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.web import Format, Limits
from tests.web.running import (
    OPENMETRICS_PAGE,
    PATIENCE_SECONDS,
    TEXT_PAGE,
    Answer,
    Running,
    read_to_end,
    site,
)

# More than the kernel buffers between two sockets on the loopback, by far.
_BIG_PAGE = b"demo 1\n" * (32 * 1024 * 1024 // 7)
_REQUEST = b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


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
    """The page is rendered in the format that its Content-Type names, and caches are told what decides it."""
    with Running(site()) as running:
        answer = running.ask("/metrics", Accept=accept, Accept_Encoding=encoding)
    assert answer.status == 200
    assert answer.headers["Content-Type"] == page_format.content_type
    assert answer.headers["Vary"] == "Accept, Accept-Encoding"
    assert answer.headers["Content-Encoding"] == ("gzip" if encoding == "gzip" else None)
    assert (gzip.decompress(answer.body) if encoding == "gzip" else answer.body) == page


def test_render_that_raises(caplog: pytest.LogCaptureFixture) -> None:
    """One line for the client, the traceback for the log, and the next scrape is served."""
    faults = [RuntimeError("secret")]

    def render(_page_format: Format) -> bytes:
        if faults:
            raise faults.pop()
        return TEXT_PAGE

    with Running(site(render=render, max_requests=1)) as running:
        answer = running.ask("/metrics")
        assert running.ask("/metrics").body == TEXT_PAGE
    assert answer.status == 500
    assert answer.body == b"cannot render the metrics page; the exporter's log says why\n"
    [record] = caplog.records
    assert (record.name, record.levelno) == ("exporter.web", logging.ERROR)
    assert "secret" in caplog.text


class _Gate:
    """A renderer that waits to be let through."""

    def __init__(self) -> None:
        self.entered = threading.Semaphore(0)
        self.release = threading.Event()

    def render(self, _page_format: Format) -> bytes:
        self.entered.release()
        assert self.release.wait(PATIENCE_SECONDS)
        return TEXT_PAGE


def test_scrapes_over_the_limit_are_turned_away() -> None:
    """Two render, the third gets 503 at once, other pages are not affected, and places come free again."""
    activity = _Gate()
    with Running(site(render=activity.render, max_requests=2)) as running, ThreadPoolExecutor() as clients:
        scrapes = [clients.submit(running.ask, "/metrics") for _ in range(2)]
        for _ in scrapes:
            assert activity.entered.acquire(timeout=PATIENCE_SECONDS)
        refused = running.ask("/metrics")
        healthy = running.ask("/-/healthy")
        activity.release.set()
        served = [scrape.result(PATIENCE_SECONDS) for scrape in scrapes]
        assert [answer.status for answer in served] == [200, 200]
        assert running.ask("/metrics").status == 200
    assert refused.status == 503
    assert (
        refused.body == b"2 scrapes are in flight, and --web.max-requests allows no more; try again later\n"
    )
    assert healthy.status == 200


def test_no_limit() -> None:
    """0 admits any number, and those that find no thread free wait for one."""
    activity = _Gate()
    with Running(site(render=activity.render, max_requests=0)) as running, ThreadPoolExecutor(64) as clients:
        scrapes = [clients.submit(running.ask, "/metrics") for _ in range(64)]
        assert activity.entered.acquire(timeout=PATIENCE_SECONDS)
        activity.release.set()
        assert {scrape.result(PATIENCE_SECONDS).status for scrape in scrapes} == {200}


def test_client_that_leaves_gives_its_place_back(caplog: pytest.LogCaptureFixture) -> None:
    """A scrape whose client is gone ends quietly."""
    activity = _Gate()
    with Running(site(render=activity.render, max_requests=1)) as running:
        with running.connect() as connection:
            connection.sendall(_REQUEST)
            assert activity.entered.acquire(timeout=PATIENCE_SECONDS)
        activity.release.set()
        assert _until_served(running).status == 200
    assert caplog.records == []


def _until_served(running: Running) -> Answer:
    """Scrape until there is a place."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (answer := running.ask("/metrics", "HEAD")).status == 503:
        assert time.monotonic() < deadline
    return answer


def _slow_reader(running: Running) -> socket.socket:
    """Ask for the page and take the beginning of it only, which shows that the response is on its way."""
    connection = running.connect()
    connection.sendall(_REQUEST)
    assert connection.recv(12, socket.MSG_WAITALL) == b"HTTP/1.1 200"
    return connection


def _big(_page_format: Format) -> bytes:
    return _BIG_PAGE


def test_slow_reader_blocks_no_other() -> None:
    """Others are served while it dawdles, and it gets all of its page in the end."""
    with Running(site(render=_big)) as running, _slow_reader(running) as slow:
        assert running.ask("/-/healthy").status == 200
        assert running.ask("/metrics").body == _BIG_PAGE
        assert read_to_end(slow).endswith(b"\r\n\r\n" + _BIG_PAGE)


def test_slow_reader_takes_a_place() -> None:
    """The scrape is in flight until the client has the page."""
    with Running(site(render=_big, max_requests=1)) as running:
        with _slow_reader(running) as slow:
            assert running.ask("/metrics").status == 503
            assert read_to_end(slow).endswith(_BIG_PAGE)
        assert _until_served(running).status == 200


def test_slow_reader_is_dropped_at_the_deadline() -> None:
    """Its place comes free although it never reads, and it gets no more than was on its way."""
    limits = Limits(write_seconds=0.1)
    with Running(site(render=_big, max_requests=1), limits) as running, _slow_reader(running) as slow:
        assert _until_served(running).status == 200
        assert len(read_to_end(slow)) < len(_BIG_PAGE)


@pytest.mark.parametrize("leave", [socket.socket.close, lambda one: one.shutdown(socket.SHUT_RDWR)])
def test_reader_that_leaves_halfway(
    leave: Callable[[socket.socket], None], caplog: pytest.LogCaptureFixture
) -> None:
    """Its place comes free, and the log stays quiet."""
    with Running(site(render=_big, max_requests=1)) as running, _slow_reader(running) as slow:
        leave(slow)
        assert _until_served(running).status == 200
    assert caplog.records == []
