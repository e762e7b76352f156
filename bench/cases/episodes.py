"""Whether short episodes with a full queue are noticed; a program in C reads the queues every 2 ms."""

from __future__ import annotations

import subprocess
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from bench.daemon import Daemon, metrics
from bench.executables import Compiled
from bench.results import CaseResult, Measurement, Summary
from bench.timing import Progress
from bench.workloads.episodes import PEAK_WINDOW_SECONDS, Episode, Published, SlowListener

TABLE: Final = "Random episodes of 60 ms in which the accept queue is full"
_LISTENERS: Final = 4
# The intervals at which a gauge might be scraped.
_GAUGE_SECONDS: Final = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
_PROMETHEUS_SECONDS: Final = 15.0
_CONFIG: Final = f"sampling: {{peak_window: {PEAK_WINDOW_SECONDS * 1000:.0f}ms}}\n"
_PEAK: Final = "listen_queue_accept_peak_utilization_ratio"
_FULL: Final = "listen_queue_accept_full_seconds_total"


@dataclass(frozen=True, slots=True)
class Observed:
    """What the program in C saw of one port: begin and end of each episode in monotonic seconds."""

    episodes: tuple[tuple[float, float], ...]
    total_seconds: float
    longest_gap_seconds: float


def noticed(compiled: Compiled, seconds: float, progress: Progress) -> CaseResult:
    """Make episodes on several ports for `seconds`, and compare what was published with what was observed."""
    with ExitStack() as stack:
        listeners = [SlowListener(seed, _published) for seed in range(_LISTENERS)]
        Daemon(stack, config=_CONFIG)
        watchers = [_watch(compiled, listener.port, stack) for listener in listeners]
        time.sleep(0.5)
        for listener in listeners:
            listener.start()
        started = time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            progress(passed / seconds)
            time.sleep(0.5)
        for listener in listeners:
            listener.stop()
        observed = [_observed(watcher) for watcher in watchers]
    episodes = [
        episode
        for listener, seen in zip(listeners, observed, strict=True)
        for episode in _confirmed(listener.episodes, seen)
    ]
    return _result(episodes, sum(_full_seconds(listener) for listener in listeners), observed)


def _result(episodes: list[Episode], published_seconds: float, observed: list[Observed]) -> CaseResult:
    peak = sum(episode.peak_ratio >= 1.0 for episode in episodes) / len(episodes)
    full = sum(episode.full_seconds > 0.0 for episode in episodes) / len(episodes)
    counted = published_seconds / sum(seen.total_seconds for seen in observed)
    spans = [end - begin for seen in observed for begin, end in seen.episodes]
    # A gauge that is read every so many seconds hits an episode with this probability.
    gauges = {every: sum(min(1.0, span / every) for span in spans) / len(spans) for every in _GAUGE_SECONDS}
    gap = max(seen.longest_gap_seconds for seen in observed)
    workload = f"{len(episodes):,} episodes on {_LISTENERS} listeners"
    shares = (
        ("noticed by the peak", peak),
        ("noticed by the seconds full", full),
        ("seconds full / seconds observed in C", counted),
        *((f"gauge read every {every:g} s", share) for every, share in gauges.items()),
    )
    return CaseResult(
        (
            *(Measurement(TABLE, workload, 0, name, "share", Summary.of([value])) for name, value in shares),
            Measurement(TABLE, workload, 0, "longest gap between readings in C", "s", Summary.of([gap])),
        ),
        (
            ("episodes_peak", Summary.of([peak])),
            ("episodes_full", Summary.of([full])),
            ("episodes_gauge", Summary.of([gauges[_PROMETHEUS_SECONDS]])),
        ),
    )


def _published(port: int) -> Published:
    values = {
        line.partition("{")[0]: float(line.rpartition(" ")[2])
        for line in metrics().splitlines()
        if line.startswith((f"{_PEAK}{{", f"{_FULL}{{")) and f'port="{port}"' in line
    }
    return Published(values.get(_PEAK, 0.0), values.get(_FULL, 0.0))


def _full_seconds(listener: SlowListener) -> float:
    return sum(episode.full_seconds for episode in listener.episodes)


def _watch(compiled: Compiled, port: int, stack: ExitStack) -> subprocess.Popen[str]:
    watcher = subprocess.Popen(
        [compiled.queue_watcher, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    stack.callback(watcher.kill)
    return watcher


def _observed(watcher: subprocess.Popen[str]) -> Observed:
    output, _ = watcher.communicate()
    *lines, last = output.splitlines()
    _, _, total, gap = last.split()
    spans = tuple((float(begin), float(end)) for begin, end in (line.split() for line in lines))
    return Observed(spans, float(total), float(gap))


def _confirmed(made: list[Episode], observed: Observed) -> list[Episode]:
    """Return the episodes that the program in C observed as well."""
    return [
        episode
        for episode in made
        if any(begin <= episode.end and episode.begin <= end for begin, end in observed.episodes)
    ]
