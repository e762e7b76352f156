"""The threads without which pages, reloads or the log stop for good: where one ends, this process ends too.

None of them ends by itself. Where an error that nobody can foresee ends one, as a want of memory may, those
who wait for it would do so for ever, while the process looks healthy to whoever supervises it.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable
from typing import Final

# The first two are those of a ThreadPoolExecutor, which starts no other in place of one that has ended.
_NEEDED: Final = frozenset({"page_0", "document_0", "reload", "certificates", "log"})
_LOOK_SECONDS: Final = 1.0

log = logging.getLogger(__name__)


class NeededThreads:
    """Looks whether those that have run still do. `lost` tells whether one does not."""

    def __init__(self, look_seconds: float = _LOOK_SECONDS) -> None:
        """None has been seen yet."""
        self.lost = False
        self._look_seconds = look_seconds
        self._seen: set[str] = set()

    async def watch(self, ended: Callable[[], object]) -> None:
        """Call `ended` once one has ended."""
        while not self._look():  # noqa: ASYNC110  (nothing tells when a thread ends)
            await asyncio.sleep(self._look_seconds)
        ended()

    def _look(self) -> bool:
        running = _NEEDED.intersection(thread.name for thread in threading.enumerate())
        gone = self._seen - running
        self._seen |= running
        if gone:
            self.lost = True
            names = ", ".join(sorted(gone))
            log.error("the thread %s has ended; this process ends, to be started anew", names)
        return self.lost
