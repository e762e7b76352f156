"""The daemon as a whole: processor time with its defaults, and how punctual it is."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

from bench.cost import Figure, Findings, Spread
from bench.daemon import Daemon, Scrapers, get
from bench.load import Held, Load
from bench.measure import Progress
from bench.resident import memory
from bench.subject import cpu_seconds

CPU_TABLE = "The whole process with its defaults, one scrape every 5 s"
LATENESS_TABLE = "Lateness of samples, 50 ms apart"
_WARM_SECONDS = 3.0
_SCRAPE_SECONDS = 5.0
# On a host that is used segments come in all the time, so that there is always something to look for.
_TRICKLE_SECONDS = 0.1
_SCRAPERS = 4
_PERCENTILE = 0.99


def whole(load: Load, seconds: float, progress: Progress) -> Findings:
    """Measure the share of a core that the daemon uses over `seconds`, in windows from scrape to scrape."""
    with ExitStack() as stack:
        held = stack.enter_context(Held(load))
        daemon = Daemon(stack)
        _trickle(held, _WARM_SECONDS)
        beats = []
        started = time.monotonic()
        while (passed := time.monotonic() - started) < seconds:
            progress(passed / seconds)
            beats.append((time.monotonic(), cpu_seconds(daemon.pid)))
            get()
            _trickle(held, started + len(beats) * _SCRAPE_SECONDS - time.monotonic())
        beats.append((time.monotonic(), cpu_seconds(daemon.pid)))
        resident = memory("VmRSS", daemon.pid)
    shares = [(used - before) / (end - begin) for (begin, before), (end, used) in pairwise(beats)]
    windows = Spread.of(shares)
    (first, before), (last, used) = beats[0], beats[-1]
    overall = Spread((used - before) / (last - first), windows.lowest, windows.highest)
    return Findings(
        (
            Figure(CPU_TABLE, str(load), load.connections, "share of a core", "share", overall),
            Figure(CPU_TABLE, str(load), load.connections, "resident memory", "B", Spread.of([resident])),
        ),
        (("daemon_cpu", overall),),
    )


def lateness(load: Load, seconds: float, rounds: int, progress: Progress) -> Findings:
    """Measure how late samples are, in turns of `seconds` with and without scrapers."""
    turns: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with ExitStack() as stack:
        stack.enter_context(Held(load))
        noted = Path(stack.enter_context(tempfile.TemporaryDirectory()), "lateness")
        daemon = Daemon(stack, "bench.observed", str(noted))
        time.sleep(_WARM_SECONDS)
        for turn in range(rounds):
            for busy in (False, True):
                begin = time.monotonic()
                with Scrapers(_SCRAPERS if busy else 0):
                    time.sleep(seconds)
                    turns[busy].append((begin, time.monotonic()))
            progress((turn + 1) / rounds)
        daemon.stop()
        samples = [tuple(map(float, line.split())) for line in noted.read_text().splitlines()]
    late = {
        busy: [
            _percentile([lateness for now, lateness in samples if begin <= now < end])
            for begin, end in turns[busy]
        ]
        for busy in turns
    }
    names = {
        False: "99th percentile, nobody scrapes",
        True: f"99th percentile, {_SCRAPERS} scrapers in a loop",
    }
    quiet, busy_spread = Spread.of(late[False]), Spread.of(late[True])
    return Findings(
        tuple(
            Figure(LATENESS_TABLE, str(load), load.listeners, names[busy], "s", spread)
            for busy, spread in ((False, quiet), (True, busy_spread))
        ),
        (("lateness", busy_spread), ("lateness_quiet", quiet)),
    )


def _trickle(held: Held, seconds: float) -> None:
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        held.poke()
        time.sleep(min(_TRICKLE_SECONDS, left))


def _percentile(values: list[float]) -> float:
    return sorted(values)[int(_PERCENTILE * (len(values) - 1))]
