"""The metrics page, shared by all scrapes that come while it is rendered."""

from __future__ import annotations

import asyncio
import gzip
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from typing import Final, Protocol, TypeVar

from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.negotiation import TextFormat
from exporter.web.request import Delivery

# Level 1 is several times faster than the default and still makes a page of metrics ten times smaller.
_COMPRESS_LEVEL: Final = 1
# A page is older only while clients use more processor time than they may, and never older than this.
_MAX_AGE_SECONDS: Final = 1.0
# The part of what clients may use for making pages; the rest is for sending them.
_PAGES_SHARE: Final = 0.25
# Of that so much at once after a quiet time: for more all clients would wait until it is earned again.
_BURST_SECONDS: Final = 0.02
# Of pages that clients have yet to take, in memory at once; two at least, whatever their size.
_MAX_BYTES: Final = 8 * 1024 * 1024
_MIN_PAGES: Final = 2

Made = TypeVar("Made")


class MetricsPage(Protocol):
    """Writes the page."""

    def write(self, *, openmetrics: bool) -> bytes:
        """Return the page in OpenMetrics 1.0 or in text format 0.0.4; called in one thread."""
        ...


class SharedPage:
    """A page as it was when it was rendered, and the responses that have yet to be sent."""

    def __init__(self, text: bytes, compressed: bytes = b"") -> None:
        """`compressed` is empty until somebody wants it."""
        self.text = text
        self.compressed = compressed
        self.compressing: asyncio.Task[bytes] | None = None
        self.readers: set[Delivery] = set()

    def size(self) -> int:
        """Return how many bytes of memory it takes."""
        return len(self.text) + len(self.compressed)


class SharedPages:
    """Renders pages in `executor`, one after the other, and knows those that are in use.

    A scrape gets a page that is rendered for it, or the one that is being rendered when it comes. Where pages
    have taken more processor time than their part of `allowance`, it gets the newest, a second old at most.
    """

    def __init__(  # noqa: PLR0913  (half of them have a default)
        self,
        page: MetricsPage,
        allowance: CpuAllowance,
        executor: Executor,
        *,
        max_bytes: int = _MAX_BYTES,
        clock: Callable[[], float] = time.monotonic,
        cpu: Callable[[], float] = time.thread_time,
    ) -> None:
        """`clock` and `cpu` are in seconds; `cpu` is that of the thread of `executor`, which calls it."""
        self._page = page
        self._allowance = allowance
        # Of what pages take alone.
        self.account = allowance.part(_PAGES_SHARE, _MAX_AGE_SECONDS, _BURST_SECONDS)
        self._executor = executor
        self._max_bytes = max_bytes
        self._clock = clock
        self._cpu = cpu
        self._rendering: dict[TextFormat, asyncio.Task[SharedPage]] = {}
        self._newest: dict[TextFormat, tuple[float, SharedPage]] = {}
        # Those with readers, the oldest first.
        self._used: dict[SharedPage, None] = {}

    async def newest(self, page_format: TextFormat, *, compressed: bool = False) -> SharedPage:
        """Return a page. Raises what rendering it raised.

        Where it is `compressed` too that is done with it: to hand over to a thread and back takes as long.
        """
        if not self.account.available:
            at, page = self._newest.get(page_format, (0.0, None))
            if page is not None and self._clock() - at <= _MAX_AGE_SECONDS:
                return page
        rendering = self._rendering.get(page_format)
        if rendering is None:
            rendering = asyncio.get_running_loop().create_task(
                self._render(page_format, compressed=compressed)
            )
            self._rendering[page_format] = rendering
            rendering.add_done_callback(lambda _: self._rendering.pop(page_format))
        # The scrape that is first may be the first to go; the page is for the others too.
        return await asyncio.shield(rendering)

    async def compressed(self, page: SharedPage) -> bytes:
        """Return the page in gzip."""
        if page.compressed:
            return page.compressed
        if page.compressing is None:
            page.compressing = asyncio.get_running_loop().create_task(self._compress(page))
        return await asyncio.shield(page.compressing)

    @property
    def kept(self) -> int:
        """How many pages are kept for scrapes to come."""
        return len(self._newest)

    @contextmanager
    def read_by(self, page: SharedPage, reader: Delivery) -> Iterator[None]:
        """Count a response among those that have yet to be sent."""
        page.readers.add(reader)
        self._used[page] = None
        try:
            yield
        finally:
            page.readers.discard(reader)
            if not page.readers:
                self._used.pop(page, None)

    async def _render(self, page_format: TextFormat, *, compressed: bool) -> SharedPage:
        at = self._clock()
        openmetrics = page_format is TextFormat.OPENMETRICS

        def write() -> SharedPage:
            text = self._page.write(openmetrics=openmetrics)
            return SharedPage(text, _gzip(text) if compressed else b"")

        page = await self._run(write)
        self._newest[page_format] = (at, page)
        self._limit_bytes(page)
        asyncio.get_running_loop().call_later(_MAX_AGE_SECONDS, self._forget, page_format, page)
        return page

    async def _compress(self, page: SharedPage) -> bytes:
        page.compressed = await self._run(lambda: _gzip(page.text))
        return page.compressed

    async def _run(self, make: Callable[[], Made]) -> Made:
        made, cpu_seconds = await asyncio.get_running_loop().run_in_executor(
            self._executor, self._timed, make
        )
        self._allowance.spend(cpu_seconds)
        self.account.spend(cpu_seconds)
        return made

    def _timed(self, make: Callable[[], Made]) -> tuple[Made, float]:
        before = self._cpu()
        return make(), self._cpu() - before

    def _forget(self, page_format: TextFormat, page: SharedPage) -> None:
        """Keep no page that nobody reads: it takes as much memory as all else of an idle exporter."""
        if self._newest.get(page_format, (0.0, None))[1] is page:
            del self._newest[page_format]

    def _limit_bytes(self, newest: SharedPage) -> None:
        """Close the connections of those who have been reading longest, where pages take too much."""
        total = newest.size() + sum(page.size() for page in self._used)
        while total > self._max_bytes and len(self._used) >= _MIN_PAGES:
            oldest = next(iter(self._used))
            total -= oldest.size()
            for reader in list(oldest.readers):
                reader.abort()


def _gzip(text: bytes) -> bytes:
    # With mtime=0 this is a single call into zlib, which releases the interpreter lock.
    return gzip.compress(text, _COMPRESS_LEVEL, mtime=0)
