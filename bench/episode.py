"""Short episodes in which an accept queue is full, made at random times."""

from __future__ import annotations

import random
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

BACKLOG = 2
_SECONDS = 0.06
# After an episode: two samples must have passed before the exporter is asked.
_SETTLE_SECONDS = 0.12
_PAUSE_SECONDS = (0.15, 0.45)
# Short enough to forget one episode before the next is judged, whatever the pause.
PEAK_WINDOW_SECONDS = 0.3
_NO_LINGER = struct.pack("ii", 1, 0)

Ask = Callable[[int], tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Episode:
    """One episode, in monotonic seconds, and what the exporter said afterwards."""

    begin: float
    end: float
    peak_ratio: float
    full_seconds: float


class Victim(threading.Thread):
    """A listener that is too slow again and again. It asks `ask` about its port after each episode."""

    def __init__(self, seed: int, ask: Ask) -> None:
        """Listen at once, on a port that the kernel chooses; the episodes begin with start()."""
        super().__init__(daemon=True)
        self._random = random.Random(seed)  # noqa: S311 # it only has to be irregular
        self._ask = ask
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=BACKLOG)
        self._ended = threading.Event()
        self.port: int = self._listener.getsockname()[1]
        self.episodes: list[Episode] = []

    def run(self) -> None:
        """Make episodes until stopped."""
        before = self._ask(self.port)[1]
        while not self._ended.wait(self._random.uniform(*_PAUSE_SECONDS)):
            begin, end = self._fill()
            time.sleep(_SETTLE_SECONDS)
            peak, full = self._ask(self.port)
            self.episodes.append(Episode(begin, end, peak, full - before))
            before = full

    def stop(self) -> None:
        """End after the episode under way."""
        self._ended.set()
        self.join()
        self._listener.close()

    def _fill(self) -> tuple[float, float]:
        clients = [socket.create_connection(("127.0.0.1", self.port)) for _ in range(BACKLOG + 1)]
        begin = time.monotonic()
        time.sleep(_SECONDS)
        end = time.monotonic()
        served = [self._listener.accept()[0] for _ in clients]
        for opened in served + clients:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            opened.close()
        return begin, end
