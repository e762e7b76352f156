"""Whether short episodes with a full queue are noticed; a program in C reads the queues every 2 ms."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import ExitStack, closing
from typing import Final

from bench.daemon import Daemon, Scraper
from bench.executables import Compiled
from bench.noticed import Noticed
from bench.queue_watcher import Observed, QueueWatcher
from bench.results import CaseResult, Measurement, Summary
from bench.timing import Progress
from bench.workloads.episodes import PEAK_WINDOW_SECONDS, Episode, Episodes, published

TABLE: Final = "Random episodes of 60 ms in which the accept queue is full"
_LISTENERS: Final = 4
# The intervals at which a gauge might be scraped.
_GAUGE_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
_PROMETHEUS_SECONDS: Final = 15.0
_CONFIG: Final = f"sampling: {{peak_window: {PEAK_WINDOW_SECONDS * 1000:.0f}ms}}\n"


def noticed(compiled: Compiled, seconds: float, progress: Progress) -> CaseResult:
    """Make episodes on several ports for `seconds`, and compare what was published with what was observed."""
    with ExitStack() as stack:
        made = [_episodes(seed, stack.enter_context(closing(Scraper()))) for seed in range(_LISTENERS)]
        Daemon(stack, config=_CONFIG).wait_ready()
        watchers = [QueueWatcher(compiled.queue_watcher, each.port, stack) for each in made]
        time.sleep(0.5)
        for each in made:
            each.start()
        started = time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            progress(passed / seconds)
            time.sleep(0.5)
        for each in made:
            each.stop()
        observed = [watcher.stop() for watcher in watchers]
    confirmed = [
        episode
        for each, seen in zip(made, observed, strict=True)
        for episode in seen.confirmed(each.episodes)
    ]
    return _result(confirmed, sum(each.full_seconds for each in made), observed)


def _episodes(seed: int, scraper: Scraper) -> Episodes:
    return Episodes(seed, lambda port: published(scraper.metrics(), port))


def _result(episodes: list[Episode], published_seconds: float, observed: Sequence[Observed]) -> CaseResult:
    found = Noticed.of(episodes)
    counted = published_seconds / sum(seen.total_seconds for seen in observed)
    spans = [end - begin for seen in observed for begin, end in seen.episodes]
    # A gauge that is read every so many seconds hits an episode with this probability.
    gauges = {every: sum(min(1.0, span / every) for span in spans) / len(spans) for every in _GAUGE_SECONDS}
    gap = max(seen.longest_gap_seconds for seen in observed)
    workload = f"{found.episodes:,} episodes on {_LISTENERS} listeners"
    shares = (
        ("seconds full / seconds observed in C", counted),
        *((f"gauge read every {every:g} s", share) for every, share in gauges.items()),
    )
    return CaseResult(
        (
            *found.measurements(TABLE, workload),
            *(Measurement(TABLE, workload, 0, name, "share", Summary.of([value])) for name, value in shares),
            Measurement(TABLE, workload, 0, "longest gap between readings in C", "s", Summary.of([gap])),
        ),
        (*found.limited(""), ("episodes_gauge", Summary.of([gauges[_PROMETHEUS_SECONDS]]))),
    )
