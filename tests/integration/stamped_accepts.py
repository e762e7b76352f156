"""A server that notes when it accepts each connection, and clients that note when they connect."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from exporter.sampling.history.histogram import Histogram
from exporter.sampling.history.waits import BUCKETS

# By the seed the waits are mixed, and the same in each run.
_SEED = 1
_LONGEST_PAUSE_SECONDS = 0.8
_LONGEST_BATCH = 60
# The kernel counts the age of a connection in ticks of up to 10 ms.
TICKS_SECONDS: Final = 0.02


class Wait(NamedTuple):
    """How long a connection waited at least and at most, in seconds."""

    shortest: float
    longest: float


def expect_waits(histogram: Histogram, waits: Sequence[Wait], interval: float) -> None:
    """Each bucket has those that waited so long, but for one interval; a shorter wait may not be in it."""
    error = interval + TICKS_SECONDS
    seen = [wait for wait in waits if wait.shortest > error]
    assert len(seen) <= histogram.cumulative_counts[-1] <= len(waits)
    assert sum(wait.shortest - error for wait in seen) <= histogram.sum
    assert histogram.sum <= sum(wait.longest + error for wait in waits)
    for bound, count in zip(BUCKETS, histogram.cumulative_counts, strict=False):
        least = sum(wait.longest + error <= bound for wait in seen)
        most = sum(wait.shortest - error <= bound for wait in waits)
        assert least <= count <= most, (bound, least, count, most)


@dataclass(frozen=True, slots=True)
class _Stamp:
    """Two times of the monotonic clock between which something happened."""

    before: float
    after: float


class StampedAccepts:
    """So many clients connect at an even pace, and a server accepts them in batches after pauses.

    Both run in threads from the start. All of them have to fit into the queue of the listener.
    """

    def __init__(self, listener: socket.socket, count: int, seconds: float) -> None:
        """Have `count` clients connect in so many seconds."""
        self._listener = listener
        self._count = count
        self._seconds = seconds
        self._connected: dict[int, _Stamp] = {}
        self._accepted: dict[int, _Stamp] = {}
        self._threads = [threading.Thread(target=each) for each in (self._connect, self._accept)]
        for thread in self._threads:
            thread.start()

    @property
    def running(self) -> bool:
        """Whether a connection is still to be accepted."""
        return any(thread.is_alive() for thread in self._threads)

    def waits(self) -> Sequence[Wait]:
        """How long each connection waited, once all were accepted."""
        assert self._connected.keys() == self._accepted.keys()
        stamps = [(self._connected[port], self._accepted[port]) for port in self._connected]
        return [
            Wait(accepted.before - connected.after, accepted.after - connected.before)
            for connected, accepted in stamps
        ]

    def _connect(self) -> None:
        address = self._listener.getsockname()
        opened = []
        started = time.monotonic()
        for number in range(self._count):
            time.sleep(max(0.0, started + self._seconds * number / self._count - time.monotonic()))
            before = time.monotonic()
            client = socket.create_connection(address)
            self._connected[client.getsockname()[1]] = _Stamp(before, time.monotonic())
            opened.append(client)
        while len(self._accepted) < self._count:
            time.sleep(0.01)
        for client in opened:
            client.close()

    def _accept(self) -> None:
        drawn = random.Random(_SEED)  # noqa: S311 # nobody has to guess it
        while len(self._accepted) < self._count:
            time.sleep(drawn.uniform(0.0, _LONGEST_PAUSE_SECONDS))
            batch = drawn.randint(1, max(_LONGEST_BATCH, self._count // 8))
            for _ in range(min(batch, self._count - len(self._accepted))):
                before = time.monotonic()
                accepted, (_, port) = self._listener.accept()
                self._accepted[port] = _Stamp(before, time.monotonic())
                accepted.close()
