"""The figures of an accept queue beside what eBPF sees of it in the kernel: within one interval of it."""

from __future__ import annotations

import json
import random
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import pytest

from exporter.sampling.history.histogram import Histogram
from exporter.sampling.history.waits import BUCKETS
from testbed.daemon import Daemon, running
from testbed.waiting import equals, until
from tests.integration import listening_sockets
from tests.integration.metric_values import figure, until_figure
from tests.integration.stamped_accepts import Wait, expect_waits
from tests.machines.kernels import CONFIG
from tests.machines.kernels.traced_queue import Event, TracedQueue, full_episodes, full_seconds

_PORT: Final = 8090
_BACKLOG: Final = 5
_WAITS: Final = "listen_queue_accept_wait_seconds"
_EPISODES: Final = 12
# By the seed the episodes are mixed, and the same in each run.
_SEED: Final = 1
# A sample is taken so much later, at most, than it is due where emulated processors are busy.
_LATE_SECONDS: Final = 0.3


class _Intervals:
    """The longest time between two samples of each source that any page told."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self.longest = dict.fromkeys(("inet", "oldest_wait"), 0.0)

    def read(self) -> None:
        for source in self.longest:
            now = figure(self._daemon, "exporter_sample_interval_seconds", source=source)
            self.longest[source] = max(self.longest[source], now or 0.0)


@pytest.mark.netns
@pytest.mark.short
@pytest.mark.timeout(1500)
def test_figures_are_what_the_kernel_did(seen: Callable[[str, object], None], tmp_path: Path) -> None:
    with ExitStack() as stack:
        traced = stack.enter_context(TracedQueue(_PORT, tmp_path / "bpftrace.log"))
        listener = stack.enter_context(listening_sockets.tcp("127.0.0.1", _PORT, backlog=_BACKLOG))
        daemon = stack.enter_context(running(config=CONFIG))
        until_figure(daemon, 0, "accept_length", port=str(_PORT))
        intervals = _Intervals(daemon)
        accepted = sum(_episode(listener, number, intervals) for number in range(_EPISODES))
        events = traced.events(accepted)
        until_figure(daemon, 0, "accept_length", port=str(_PORT))
        inet = intervals.longest["inet"] + _LATE_SECONDS
        waits = [_wait(event) for event in events if event.waited is not None]
        until(lambda: _histogram(daemon).cumulative_counts[-1], lambda count: count >= len(waits) * 0.9)

        assert sum(event.name == "added" for event in events) == accepted
        dropped = sum(event.name == "dropped" for event in events)
        assert dropped > 0
        until(lambda: figure(daemon, "drops_total", port=str(_PORT)), equals(dropped))
        full, episodes = full_seconds(events), full_episodes(events)
        assert episodes > 0
        told = until(lambda: figure(daemon, "accept_full_seconds_total", port=str(_PORT)), bool)
        assert told is not None
        assert abs(told - full) <= inet * episodes, (told, full, episodes)
        expect_waits(_histogram(daemon), waits, intervals.longest["oldest_wait"] + _LATE_SECONDS)
        lengths = _expect_lengths(daemon, events, inet)
    longest = max(wait.shortest for wait in waits)
    seen("accept queue as eBPF sees it: lengths that samples saw, all of which it had then", lengths)
    seen("accept queue as eBPF sees it: packets dropped, as counted by both", dropped)
    seen("accept queue as eBPF sees it: seconds full, by eBPF and here", f"{full:.2f}, {told:.2f}")
    seen(
        "accept queue as eBPF sees it: waits in the right bucket within one interval, the longest",
        f"{len(waits)}, {longest:.2f} s",
    )


def _episode(listener: socket.socket, number: int, intervals: _Intervals) -> int:
    """Let clients wait for some time, then accept them; return how many. Some episodes fill the queue."""
    drawn = random.Random(_SEED + number)  # noqa: S311 # nobody has to guess it
    count = drawn.choice((2, _BACKLOG, _BACKLOG + 1))
    with ExitStack() as stack:
        for client in listening_sockets.clients(listener, count):
            stack.enter_context(client)
        if count > _BACKLOG:
            stack.enter_context(listening_sockets.refused_client(listener))
        until = time.monotonic() + drawn.uniform(0.5, 4.0)
        while time.monotonic() < until:
            intervals.read()
            time.sleep(0.1)
    # Their clients have closed, so that none of the refused is tried again.
    for each in listening_sockets.accept(listener, count):
        each.close()
    return count


def _wait(event: Event) -> Wait:
    assert event.waited is not None
    return Wait(event.waited, event.waited)


def _histogram(daemon: Daemon) -> Histogram:
    """What a page has, which a machine that is late with its samples may leave out for some seconds."""
    page = until(daemon.metrics, lambda found: bool(found.all(f"{_WAITS}_sum", port=str(_PORT))))
    bounds = [*(f"{bound}" for bound in BUCKETS), "+Inf"]
    counts = [page.value(f"{_WAITS}_bucket", port=str(_PORT), le=bound) for bound in bounds]
    return Histogram(tuple(map(int, counts)), page.value(f"{_WAITS}_sum", port=str(_PORT)))


def _expect_lengths(daemon: Daemon, events: Sequence[Event], interval: float) -> int:
    """Each length that was recorded is one that the queue had in the interval before; return how many."""
    document = json.loads(daemon.request(f"/api/v1/history?port={_PORT}").text)
    (entry,) = [each for each in document["listeners"] if each["queue"] == "accept"]
    to_monotonic = time.monotonic() - time.time()
    assert entry["peak_length"] == max(event.length for event in events)
    for unix_seconds, length, _ in entry["changes"]:
        at = unix_seconds + to_monotonic
        before = [event.length for event in events if event.seconds <= at - interval]
        during = [event.length for event in events if at - interval < event.seconds <= at + interval]
        assert length in {*before[-1:], *during, *([] if before else [0])}, (at, length)
    return len(entry["changes"])
