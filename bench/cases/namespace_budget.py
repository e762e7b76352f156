"""Many network namespaces with the defaults: what all processes use, and how often each is sampled."""

from __future__ import annotations

import time
from contextlib import ExitStack
from typing import Final

from bench.cases.daemon import CPU_TABLE
from bench.cases.namespaces import wait_for_all
from bench.cpu_share import CpuShare
from bench.daemon import Daemon
from bench.intervals import Intervals
from bench.process_tree import Memory
from bench.results import CaseResult, Measurement, NotMeasured, Summary
from bench.timing import Progress
from bench.workloads.namespaces import Namespaces, OpenNamespaces

INTERVAL_TABLE: Final = "Time between two samples of a namespace, with the defaults"
# The budget is kept over any 30 s.
_WARM_UP_SECONDS: Final = 10.0


def with_defaults(workload: Namespaces, seconds: float, prefix: str, progress: Progress) -> CaseResult:
    """Measure over `seconds`, with one scrape every 5 s. `prefix` begins the names of the limits."""
    with ExitStack() as stack:
        stack.enter_context(OpenNamespaces(workload))
        daemon = Daemon(stack, namespaces=True).wait_ready()
        wait_for_all(workload.namespaces)
        time.sleep(_WARM_UP_SECONDS)
        used = CpuShare.measure(daemon, seconds, progress)
        resident = daemon.tree.memory()
    return _result(workload, prefix, used, resident)


def _result(workload: Namespaces, prefix: str, used: CpuShare, resident: Memory) -> CaseResult:
    intervals = Intervals.over(used.pages)
    total = Summary.of([resident.total])
    longest = Summary.of([intervals.longest])
    rows = [
        (CPU_TABLE, "share of a core", "share", used.share),
        (CPU_TABLE, "resident memory", "B", total),
        (CPU_TABLE, "PSS", "B", Summary.of([resident.proportional])),
        (INTERVAL_TABLE, "longest, as published", "s", longest),
        (INTERVAL_TABLE, "mean, by the samples taken", "s", Summary.of([used.mean_interval])),
        (INTERVAL_TABLE, "age of the oldest sample on a page", "s", Summary.of([used.oldest_age])),
    ]
    limited = [("cpu", used.share), ("longest_interval", longest), ("memory", total)]
    missing: tuple[NotMeasured, ...] = ()
    if intervals.usual is None:
        missing = (NotMeasured(f"usual interval, {workload}", "the exporter does not publish it"),)
    else:
        usual = Summary.of([intervals.usual])
        rows.append((INTERVAL_TABLE, "usual, as published", "s", usual))
        limited.append(("usual_interval", usual))
    return CaseResult(
        tuple(
            Measurement(table, str(workload), workload.namespaces, name, unit, summary)
            for table, name, unit, summary in rows
        ),
        tuple((f"{prefix}_{name}", summary) for name, summary in limited),
        missing,
    )
