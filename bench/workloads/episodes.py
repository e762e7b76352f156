"""Episodes of 60 ms in which an accept queue is full, at random times."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Final

from bench.exposition import Exposition
from bench.workloads.entered_namespace import entered

BACKLOG: Final = 2
# Long enough to reach from the episode to the scrape after it, and shorter than from one scrape to the next.
PEAK_WINDOW_SECONDS: Final = 0.45
EPISODE_SECONDS: Final = 0.06
# Two samples are taken between the end of an episode and the scrape.
_BEFORE_SCRAPE_SECONDS: Final = 0.12
# A client that scrapes more often than once a second waits for processor time while there are several.
_PAUSE_SECONDS: Final = (1.0, 1.5)
_PEAK: Final = "listen_queue_accept_peak_utilization_ratio"
_FULL: Final = "listen_queue_accept_full_seconds_total"
_NO_LINGER: Final = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Published:
    """What the exporter publishes of one port: the peak utilization, and the seconds full so far."""

    peak_ratio: float
    full_seconds: float


@dataclass(frozen=True, slots=True)
class Episode:
    """Begin and end in monotonic seconds, the peak published then, and the growth of seconds full."""

    begin: float
    end: float
    peak_ratio: float
    full_seconds: float


def published(page: Exposition, port: int) -> Published:
    """Read what a page says of a port, which no other listener has; zeros where it says nothing."""
    peaks, seconds = page.values(_PEAK, port=f"{port}"), page.values(_FULL, port=f"{port}")
    return Published(max(peaks, default=0.0), max(seconds, default=0.0))


class SlowListener:
    """A listener that does not accept during episodes."""

    def __init__(self, port: int = 0, pid: int | None = None) -> None:
        """Listen at once: on a port that the kernel chooses, or this one; in the namespace of a process."""
        self._pid = pid
        with self._namespace():
            self._listener = socket.create_server(("127.0.0.1", port), backlog=BACKLOG)
        self.port: int = self._listener.getsockname()[1]

    def fill(self, seconds: float = EPISODE_SECONDS) -> tuple[float, float]:
        """Have the queue full for a time, and return when that began and ended, in monotonic seconds."""
        with self._namespace():
            clients = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(BACKLOG + 1)]
        begin = time.monotonic()
        time.sleep(seconds)
        end = time.monotonic()
        accepted = [self._listener.accept()[0] for _ in clients]
        for opened in accepted + clients:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            opened.close()
        return begin, end

    def close(self) -> None:
        """Stop listening."""
        self._listener.close()

    def _namespace(self) -> AbstractContextManager[None]:
        return nullcontext() if self._pid is None else entered(self._pid)


class Episodes(threading.Thread):
    """Makes episodes on one listener. `scrape` is called with its port after each."""

    def __init__(self, seed: int, scrape: Callable[[int], Published]) -> None:
        """Listen at once; the episodes begin with start()."""
        super().__init__(daemon=True)
        self._random = random.Random(seed)  # noqa: S311 # no secret depends on it
        self._scrape = scrape
        self._listener = SlowListener()
        self._ended = threading.Event()
        self.port = self._listener.port
        self.episodes: list[Episode] = []
        self.full_seconds = 0.0

    def run(self) -> None:
        """Make episodes until stopped.

        `full_seconds` are those published meanwhile. An episode whose page was read so late that the peak
        window had left it behind is not among `episodes`: nothing can be said of it.
        """
        before = self._scrape(self.port).full_seconds
        while not self._ended.wait(self._random.uniform(*_PAUSE_SECONDS)):
            begin, end = self._listener.fill()
            time.sleep(_BEFORE_SCRAPE_SECONDS)
            found = self._scrape(self.port)
            grown = found.full_seconds - before
            before = found.full_seconds
            self.full_seconds += grown
            if time.monotonic() - begin < PEAK_WINDOW_SECONDS:
                self.episodes.append(Episode(begin, end, found.peak_ratio, grown))

    def stop(self) -> None:
        """End after the present episode."""
        self._ended.set()
        self.join()
        self._listener.close()
