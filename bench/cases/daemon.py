"""The daemon as a whole: its processor time with the defaults, and the lateness of its samples."""

from __future__ import annotations

import tempfile
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Final

from bench.cpu_share import CpuShare
from bench.daemon import Daemon, scrapers
from bench.results import CaseResult, Measurement, Summary
from bench.timing import Progress, repeat
from bench.workloads.sockets import OpenSockets, Sockets

CPU_TABLE: Final = "All processes with the defaults, one scrape every 5 s"
LATENESS_TABLE: Final = "Lateness of samples, 50 ms apart"
_WARM_UP_SECONDS: Final = 3.0
# A host in use receives segments all the time, so that samples cannot be spared.
_SEGMENTS_SECONDS: Final = 0.1
_SCRAPERS: Final = 4
_PERCENTILE: Final = 0.99


def cpu_time(sockets: Sockets, seconds: float, progress: Progress) -> CaseResult:
    """Measure what the daemon and the processes that it starts use over `seconds`: of a core, and memory."""
    with ExitStack() as stack:
        opened = stack.enter_context(OpenSockets(sockets))
        daemon = Daemon(stack).wait_ready()
        receive_segments = partial(repeat, opened.receive_segments, _SEGMENTS_SECONDS)
        receive_segments(_WARM_UP_SECONDS)
        used = CpuShare.measure(daemon, seconds, progress, receive_segments)
        resident = daemon.tree.memory()
    size = sockets.connections
    total = Summary.of([resident.total])
    return CaseResult(
        (
            Measurement(CPU_TABLE, str(sockets), size, "share of a core", "share", used.share),
            Measurement(CPU_TABLE, str(sockets), size, "resident memory", "B", total),
            Measurement(CPU_TABLE, str(sockets), size, "PSS", "B", Summary.of([resident.proportional])),
        ),
        (("daemon_cpu", used.share), ("memory_own", total)),
    )


def lateness(sockets: Sockets, seconds: float, rounds: int, progress: Progress) -> CaseResult:
    """Measure how late samples are, in each round for `seconds` without and for `seconds` with scrapers."""
    spans: dict[bool, list[tuple[float, float]]] = {False: [], True: []}
    with ExitStack() as stack:
        stack.enter_context(OpenSockets(sockets))
        noted = Path(stack.enter_context(tempfile.TemporaryDirectory()), "lateness")
        daemon = Daemon(stack, ("bench.daemon_with_lateness", str(noted))).wait_ready()
        time.sleep(_WARM_UP_SECONDS)
        for number in range(rounds):
            for scraped in (False, True):
                begin = time.monotonic()
                with scrapers(_SCRAPERS if scraped else 0):
                    time.sleep(seconds)
                    spans[scraped].append((begin, time.monotonic()))
            progress((number + 1) / rounds)
        daemon.stop()
        samples = [tuple(map(float, line.split())) for line in noted.read_text().splitlines()]
    without_scrapers, with_scrapers = (
        Summary.of(
            [_percentile([late for now, late in samples if begin <= now < end]) for begin, end in spans[each]]
        )
        for each in (False, True)
    )
    rows = (
        ("99th percentile, no scrapers", without_scrapers),
        (f"99th percentile, {_SCRAPERS} scrapers in a loop", with_scrapers),
    )
    return CaseResult(
        tuple(
            Measurement(LATENESS_TABLE, str(sockets), sockets.listeners, name, "s", summary)
            for name, summary in rows
        ),
        (("lateness", with_scrapers), ("lateness_without_scrapers", without_scrapers)),
    )


def _percentile(values: list[float]) -> float:
    return sorted(values)[int(_PERCENTILE * (len(values) - 1))]
