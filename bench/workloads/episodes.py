"""Episodes of 60 ms in which an accept queue is full, at random times."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

BACKLOG: Final = 2
# Long enough to reach from the episode to the scrape after it, and shorter than from one scrape to the next.
PEAK_WINDOW_SECONDS: Final = 0.45
_FULL_SECONDS: Final = 0.06
# Two samples are taken between the end of an episode and the scrape.
_BEFORE_SCRAPE_SECONDS: Final = 0.12
_PAUSE_SECONDS: Final = (0.3, 0.6)
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


class SlowListener(threading.Thread):
    """A listener that does not accept during episodes. `scrape` is called with its port after each."""

    def __init__(self, seed: int, scrape: Callable[[int], Published]) -> None:
        """Listen at once, on a port that the kernel chooses; the episodes begin with start()."""
        super().__init__(daemon=True)
        self._random = random.Random(seed)  # noqa: S311 # no secret depends on it
        self._scrape = scrape
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self._ended = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self.episodes: list[Episode] = []

    def run(self) -> None:
        """Make episodes until stopped."""
        before = self._scrape(self.port).full_seconds
        while not self._ended.wait(self._random.uniform(*_PAUSE_SECONDS)):
            begin, end = self._fill()
            time.sleep(_BEFORE_SCRAPE_SECONDS)
            found = self._scrape(self.port)
            self.episodes.append(Episode(begin, end, found.peak_ratio, found.full_seconds - before))
            before = found.full_seconds

    def stop(self) -> None:
        """End after the present episode."""
        self._ended.set()
        self.join()
        self._listener.close()

    def _fill(self) -> tuple[float, float]:
        clients = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(BACKLOG + 1)]
        begin = time.monotonic()
        time.sleep(_FULL_SECONDS)
        end = time.monotonic()
        accepted = [self._listener.accept()[0] for _ in clients]
        for opened in accepted + clients:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            opened.close()
        return begin, end
