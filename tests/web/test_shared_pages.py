"""One page for all scrapes of a moment, and how much memory pages take."""

from __future__ import annotations

import asyncio
import gzip
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.negotiation import TextFormat
from exporter.web.shared_pages import SharedPages
from tests.web.delivery import FakeDelivery
from tests.web.metrics_pages import shared

NOTHING = 1e-9


class Numbered:
    """A page that differs each time."""

    def __init__(self, size: int = 0) -> None:
        self.written = 0
        self._size = size

    def write(self, *, openmetrics: bool) -> bytes:  # noqa: ARG002  (the page is the same in either format)
        self.written += 1
        return f"demo {self.written}\n".encode() + b"x" * self._size


def test_each_scrape_gets_a_page_of_its_own_moment() -> None:
    async def run() -> list[bytes]:
        pages = shared(Numbered())
        return [(await pages.newest(TextFormat.TEXT)).text for _ in range(3)]

    assert asyncio.run(run()) == [b"demo 1\n", b"demo 2\n", b"demo 3\n"]


def test_scrapes_of_one_moment_share_one_page() -> None:
    async def run() -> set[int]:
        pages = shared(Numbered())
        return {
            id(page.text) for page in await asyncio.gather(*(pages.newest(TextFormat.TEXT) for _ in range(9)))
        }

    assert len(asyncio.run(run())) == 1


def test_without_processor_time_the_newest_page_is_shared_for_a_second() -> None:
    """It is never older, and formats have a page each."""
    now = 0.0

    async def run() -> list[bytes]:
        nonlocal now
        allowance = CpuAllowance(lambda: NOTHING, lambda: now)
        pages = SharedPages(Numbered(), allowance, ThreadPoolExecutor(1), clock=lambda: now)
        read = [(await pages.newest(TextFormat.TEXT)).text]
        # More than is there.
        pages.account.spend(1.0)
        read.append((await pages.newest(TextFormat.TEXT)).text)
        read.append((await pages.newest(TextFormat.OPENMETRICS)).text)
        now = 1.1
        read.append((await pages.newest(TextFormat.TEXT)).text)
        return read

    assert asyncio.run(run()) == [b"demo 1\n", b"demo 1\n", b"demo 2\n", b"demo 3\n"]


def test_processor_time_of_a_page_is_that_of_its_thread() -> None:
    """It counts for pages alone, and for all that clients cause."""

    async def run() -> list[float]:
        taken = iter((7.0, 7.04))
        allowance = CpuAllowance(lambda: 0.1, lambda: 0.0, lambda: 0.0)
        pages = SharedPages(Numbered(), allowance, ThreadPoolExecutor(1), cpu=lambda: next(taken))
        await pages.newest(TextFormat.TEXT)
        allowance.spend(0.02)
        return [pages.account.pause_seconds(), allowance.pause_seconds()]

    # Of 0.02 s that are there at first, and of 0.05 s.
    assert asyncio.run(run()) == pytest.approx([0.02 / 0.025 + 0.1, 0.01 / 0.1 + 0.1])


def test_compressed_page_is_made_once() -> None:
    async def run() -> set[int]:
        pages = shared(Numbered())
        page = await pages.newest(TextFormat.TEXT)
        return {id(body) for body in await asyncio.gather(*(pages.compressed(page) for _ in range(9)))}

    assert len(asyncio.run(run())) == 1


def test_page_and_its_compressed_form_are_made_in_one_step_of_the_thread() -> None:
    async def run() -> tuple[bytes, bytes, bytes]:
        pages = shared(Numbered())
        page = await pages.newest(TextFormat.TEXT, compressed=True)
        return page.text, gzip.decompress(page.compressed), await pages.compressed(page)

    text, decompressed, compressed = asyncio.run(run())
    assert decompressed == text == b"demo 1\n"
    assert gzip.decompress(compressed) == text


def test_readers_of_the_oldest_page_are_disconnected_where_pages_take_too_much_memory() -> None:
    """Those of the newer ones go on."""

    async def run() -> list[bool]:
        allowance = CpuAllowance(lambda: 1000.0)
        pages = SharedPages(Numbered(1000), allowance, ThreadPoolExecutor(1), max_bytes=3500)
        readers = [FakeDelivery() for _ in range(4)]
        for reader in readers:
            page = await pages.newest(TextFormat.TEXT)
            reader.until_sent.enter_context(pages.read_by(page, reader))
        return [reader.aborted for reader in readers]

    assert asyncio.run(run()) == [True, False, False, False]


def test_a_page_that_nobody_reads_is_forgotten() -> None:
    async def run() -> int:
        pages = shared(Numbered())
        await pages.newest(TextFormat.TEXT)
        assert pages.kept == 1
        await asyncio.sleep(1.1)
        return pages.kept

    assert asyncio.run(run()) == 0
