"""A server that notes when it accepts each connection, and clients that note when they connect."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

# By the seed the waits are mixed, and the same in each run.
_SEED = 1
_LONGEST_PAUSE_SECONDS = 0.8
_LONGEST_BATCH = 60


class Wait(NamedTuple):
    """How long a connection waited at least and at most, in seconds."""

    shortest: float
    longest: float


@dataclass(frozen=True, slots=True)
class _Stamp:
    """Two times of the monotonic clock between which something happened."""

    before: float
    after: float


class StampedAccepts:
    """So many clients connect at an even pace, and a server accepts them in batches after pauses.

    Both run in threads from the start. The queue of the listener has to have room for all.
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
