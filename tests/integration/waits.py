"""How long the oldest connection has waited, by the page and by the time of day."""

from __future__ import annotations

import socket
import time

from testbed.daemon import Daemon
from testbed.waiting import until
from tests.integration import listening_sockets

OLDEST = "accept_oldest_wait_seconds"
# The kernel counts in ticks of up to 10 ms, and answers before the time stamp of the sample is taken.
_TICKS_SECONDS = 0.03
_DEADLINE_SECONDS = 40.0

# The times of day between which a client connected.
Since = tuple[float, float]


def age(daemon: Daemon, **labels: str) -> tuple[float, float, float] | None:
    """The figure, and the times of day between which it was measured."""
    page = daemon.metrics()
    found = page.all(f"listen_queue_{OLDEST}", **labels)
    if not found:
        return None
    (value,) = found.values()
    end = page.value("listen_queue_exporter_last_sample_timestamp_seconds", source="oldest_wait")
    start = end - page.value("listen_queue_exporter_source_duration_seconds", source="oldest_wait")
    return value, start - _TICKS_SECONDS, end + _TICKS_SECONDS


def expect_age(daemon: Daemon, since: Since, at_least: float = 0.0, **labels: str) -> None:
    """The figure is the time since the client connected, which it did between the two times of day."""

    def right(found: tuple[float, float, float] | None) -> bool:
        if found is None or found[0] < at_least:
            return False
        value, sampled_from, sampled_to = found
        return sampled_from - since[1] <= value <= sampled_to - since[0]

    until(lambda: age(daemon, **labels), right)


def one_client(listener: socket.socket) -> tuple[socket.socket, Since]:
    """A client that waits at this listener, and when it connected."""
    before = time.time()
    client = listening_sockets.clients(listener, 1)[0]
    return client, (before, time.time())


def client_of(address: str, port: int) -> tuple[socket.socket, Since]:
    """A client that connects to this address, whichever listener it comes to, and when it did."""
    before = time.time()
    client = socket.create_connection((address, port), _DEADLINE_SECONDS)
    return client, (before, time.time())
