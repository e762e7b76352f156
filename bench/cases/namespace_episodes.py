"""Whether short episodes with a full queue are noticed in a few of many network namespaces."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Final

from bench.cases.namespaces import wait_for_all
from bench.daemon import Daemon, metrics
from bench.executables import Compiled
from bench.noticed import Noticed
from bench.queue_watcher import QueueWatcher
from bench.results import CaseResult
from bench.timing import Progress
from bench.workloads.entered_namespace import entered
from bench.workloads.episodes import EPISODE_SECONDS, Episode, Published, SlowListener, published
from bench.workloads.namespaces import Namespaces, OpenNamespaces

TABLE: Final = "Random episodes of 60 ms in a few of many network namespaces, defaults"
_FIRST_PORT: Final = 20_000
_LISTENERS: Final = 3
# A page is read after each round, more often than Prometheus would: what is not looked at is left off it.
_CONFIG: Final = f"""sampling: {{peak_window: 2500ms}}
rules:
  - {{name: busy, match: {{protocol: tcp, port: {_FIRST_PORT}-{_FIRST_PORT + 999}}}}}
  - {{name: quiet, export: false}}
"""
_WARM_UP_SECONDS: Final = 5.0
# The peak window reaches from the scrape to the begin of the round, not to an episode of the round before.
_ROUND_SECONDS: Final = 3.0
_EPISODES_BEGIN_SECONDS: Final = 1.8
_SCRAPE_AFTER_SECONDS: Final = 2.0
_BUSY_BEFORE_SECONDS: Final = 3.0


def noticed(
    compiled: Compiled, workload: Namespaces, busy: int, rounds: int, progress: Progress
) -> CaseResult:
    """Have an episode on each of the listeners of the busy ones in each round, and compare with C.

    The episodes of a round begin at random times. The busy ones have had a full queue before, as they have it
    all the time.
    """
    chances = random.Random(0)  # noqa: S311 # no secret depends on it
    made: list[list[Episode]] = []
    with ExitStack() as stack:
        opened = stack.enter_context(OpenNamespaces(workload))
        pids = [pid for pid in opened.pids[:busy] for _ in range(_LISTENERS)]
        listeners = [SlowListener(_FIRST_PORT + index, pid) for index, pid in enumerate(pids)]
        for listener in listeners:
            stack.callback(listener.close)
        watchers = [
            _watch(compiled, listener, pid, stack) for listener, pid in zip(listeners, pids, strict=True)
        ]
        Daemon(stack, config=_CONFIG, namespaces=True).wait_ready()
        wait_for_all(workload.namespaces)
        time.sleep(_WARM_UP_SECONDS)
        threads = stack.enter_context(ThreadPoolExecutor(len(listeners)))
        list(threads.map(lambda listener: listener.fill(_BUSY_BEFORE_SECONDS), listeners))
        time.sleep(_ROUND_SECONDS)
        before = _published(listeners)
        for number in range(rounds):
            delays = [chances.uniform(0.0, _EPISODES_BEGIN_SECONDS) for _ in listeners]
            began = time.monotonic()
            spans = list(threads.map(_delayed, listeners, delays))
            time.sleep(max(0.0, began + _SCRAPE_AFTER_SECONDS - time.monotonic()))
            after = _published(listeners)
            made.append(episodes(spans, before, after))
            before = after
            time.sleep(max(0.0, began + _ROUND_SECONDS - time.monotonic()))
            progress((number + 1) / rounds)
        observed = [watcher.stop() for watcher in watchers]
    confirmed = [
        episode
        for of_listener, seen in zip(zip(*made, strict=True), observed, strict=True)
        for episode in seen.confirmed(of_listener)
    ]
    found = Noticed.of(confirmed)
    text = f"{found.episodes:,} episodes in {busy} of {workload.namespaces:,} namespaces"
    return CaseResult(tuple(found.measurements(TABLE, text)), found.limited("namespaces_"))


def episodes(
    spans: Sequence[tuple[float, float]], before: Sequence[Published], after: Sequence[Published]
) -> list[Episode]:
    """Return the episodes of one round, one a listener, with what was published at the end of the round."""
    return [
        Episode(begin, end, now.peak_ratio, now.full_seconds - then.full_seconds)
        for (begin, end), then, now in zip(spans, before, after, strict=True)
    ]


def _watch(compiled: Compiled, listener: SlowListener, pid: int, stack: ExitStack) -> QueueWatcher:
    with entered(pid):
        return QueueWatcher(compiled.queue_watcher, listener.port, stack)


def _published(listeners: Sequence[SlowListener]) -> list[Published]:
    page = metrics()
    return [published(page, listener.port) for listener in listeners]


def _delayed(listener: SlowListener, seconds: float) -> tuple[float, float]:
    time.sleep(seconds)
    return listener.fill(EPISODE_SECONDS)
