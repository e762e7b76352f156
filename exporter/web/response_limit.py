"""How many responses are sent at the same time."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from exporter.web.request import Delivery

# A client that takes nothing for so long takes no place from others; it has its deadline all the same.
_STALLED_SECONDS: Final = 0.1
_LOOK_SECONDS: Final = 0.05


class ResponseLimit:
    """`count` places, or any number where that is 0. Used in one event loop."""

    def __init__(self, count: int) -> None:
        self._count = count
        self._taken: set[Delivery] = set()
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._look: asyncio.TimerHandle | None = None

    async def take(self, delivery: Delivery, timeout_seconds: float) -> bool:
        """Take a place until the response is sent, and return whether there was one before the timeout."""
        if self._full() or self._waiting:
            free = asyncio.get_running_loop().create_future()
            self._waiting.append(free)
            self._look_later()
            try:
                async with asyncio.timeout(timeout_seconds):
                    await free
            except TimeoutError:
                return False
            finally:
                if not free.done():
                    free.cancel()
        delivery.until_sent.enter_context(self._used_by(delivery))
        return True

    @contextmanager
    def _used_by(self, delivery: Delivery) -> Iterator[None]:
        self._taken.add(delivery)
        try:
            yield
        finally:
            self._taken.discard(delivery)
            self._wake()

    def _full(self) -> bool:
        if not self._count or len(self._taken) < self._count:
            return False
        return self._in_use() >= self._count

    def _in_use(self) -> int:
        return sum(each.stalled_seconds < _STALLED_SECONDS for each in self._taken)

    def _wake(self) -> None:
        """Let the one that has waited longest have a place, if there is one; it is taken in a later step."""
        while self._waiting and self._waiting[0].done():
            self._waiting.popleft()
        if self._waiting and not self._full():
            self._waiting.popleft().set_result(None)

    def _look_later(self) -> None:
        """Look for clients that have stalled, of which nothing tells."""
        if self._look is None:
            self._look = asyncio.get_running_loop().call_later(_LOOK_SECONDS, self._look_now)

    def _look_now(self) -> None:
        self._look = None
        for _ in range(self._count - self._in_use()):
            self._wake()
        if self._waiting:
            self._look_later()
