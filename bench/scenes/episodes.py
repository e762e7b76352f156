"""Whether short episodes are noticed, judged by a program in C that looks every 2 ms."""

from __future__ import annotations

import subprocess
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass

from bench.cost import Figure, Findings, Spread
from bench.episode import PEAK_WINDOW_SECONDS, Episode, Victim
from bench.measure import Progress
from bench.program import Built
from bench.subject import Resident, python

TABLE = "Random episodes of 60 ms in which the accept queue is full"
_VICTIMS = 4
# How often other tools look, for what they would have seen.
_GAUGES_SECONDS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 15.0, 60.0)
_PROMETHEUS_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What the reference saw of one port: begin and end of each episode in monotonic seconds."""

    episodes: tuple[tuple[float, float], ...]
    total_seconds: float
    longest_gap_seconds: float


def noticed(built: Built, seconds: float, progress: Progress) -> Findings:
    """Make episodes on a few ports for so many seconds and compare."""
    with ExitStack() as stack:
        loop = python("loop", "bench.loop", str(PEAK_WINDOW_SECONDS), within=stack)
        asking = threading.Lock()
        victims = [Victim(seed, lambda port: _ask(loop, asking, port)) for seed in range(_VICTIMS)]
        watchers = [_watch(built, victim.port, stack) for victim in victims]
        time.sleep(0.5)
        for victim in victims:
            victim.start()
        started = time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            progress(passed / seconds)
            time.sleep(0.5)
        for victim in victims:
            victim.stop()
        seen = [_seen(watcher) for watcher in watchers]
    pairs = [
        pair for victim, what in zip(victims, seen, strict=True) for pair in _real(victim.episodes, what)
    ]
    peak = sum(episode.peak_ratio >= 1.0 for episode in pairs) / len(pairs)
    full = sum(episode.full_seconds > 0.0 for episode in pairs) / len(pairs)
    real_seconds = sum(what.total_seconds for what in seen)
    counted = sum(episode.full_seconds for victim in victims for episode in victim.episodes) / real_seconds
    spans = [end - begin for what in seen for begin, end in what.episodes]
    gauges = [
        (every, sum(min(1.0, span / every) for span in spans) / len(spans)) for every in _GAUGES_SECONDS
    ]
    gaps = [max(what.longest_gap_seconds for what in seen)]
    load = f"{len(pairs):,} episodes on {_VICTIMS} listeners"
    shown = (
        ("noticed by the peak", peak),
        ("noticed by the seconds full", full),
        ("seconds full / seconds that the reference saw", counted),
        *((f"gauge read every {every:g} s", share) for every, share in gauges),
    )
    return Findings(
        (
            *(Figure(TABLE, load, 0, name, "share", Spread.of([value])) for name, value in shown),
            Figure(TABLE, load, 0, "longest gap between looks of the reference", "s", Spread.of(gaps)),
        ),
        (
            ("episodes_peak", Spread.of([peak])),
            ("episodes_full", Spread.of([full])),
            ("episodes_gauge", Spread.of([dict(gauges)[_PROMETHEUS_SECONDS]])),
        ),
    )


def _ask(loop: Resident, asking: threading.Lock, port: int) -> tuple[float, float]:
    with asking:
        peak, full = loop.ask(str(port))
    return float(peak), float(full)


def _watch(built: Built, port: int, stack: ExitStack) -> subprocess.Popen[str]:
    watcher = subprocess.Popen(
        [built.watcher, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    stack.callback(watcher.kill)
    return watcher


def _seen(watcher: subprocess.Popen[str]) -> Seen:
    output, _ = watcher.communicate()
    *lines, last = output.splitlines()
    _, _, total, gap = last.split()
    spans = tuple((float(begin), float(end)) for begin, end in (line.split() for line in lines))
    return Seen(spans, float(total), float(gap))


def _real(made: list[Episode], seen: Seen) -> list[Episode]:
    """Return those episodes that the reference saw too."""
    return [
        episode
        for episode in made
        if any(begin <= episode.end and episode.begin <= end for begin, end in seen.episodes)
    ]
