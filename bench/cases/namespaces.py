"""Samples of the listeners of many network namespaces, without a budget, beside a floor in C."""

from __future__ import annotations

import os
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Final

from bench import exporter_internals as internals
from bench.comparison import BASELINE, EXPORTER
from bench.daemon import Daemon, metrics
from bench.executables import Compiled
from bench.intervals import namespaces, passes
from bench.programs import NamespacesBaseline, wait_for
from bench.results import CaseResult, Measurement, Summary
from bench.timing import Progress
from bench.workloads.namespaces import Namespaces, OpenNamespaces

SAMPLE_TABLE: Final = "One sample of all network namespaces, all processes"
SHARE_TABLE: Final = "All processes without a budget, many network namespaces"
_INTERVAL_SECONDS: Final = 0.05
_CONFIG: Final = "sampling: {cpu_budget: 100%, interval: 50ms}\nmax_listeners: 100000\n"
_WARM_UP_SECONDS: Final = 3.0
_BASELINE_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Unlimited:
    """How long each round measures, and the names of the limits of a pass and of the share, if there are."""

    seconds: float
    rounds: int
    pass_limit: str
    share_limit: str = ""


@dataclass(frozen=True, slots=True)
class _Round:
    pass_seconds: float
    baseline_seconds: float
    share: float
    passes_per_second: float


def unlimited(
    compiled: Compiled, workload: Namespaces, measured: Unlimited, progress: Progress
) -> CaseResult:
    """Measure the exporter and the program in C one after the other in each round, at the same pace.

    Both sample the namespace that they are in as well.
    """
    rounds = []
    with ExitStack() as stack:
        opened = stack.enter_context(OpenNamespaces(workload))
        print(f"{workload}: opened in {opened.setup_seconds:.2f} s", file=sys.stderr)
        baseline = NamespacesBaseline(
            compiled.baseline_namespaces,
            (internals.TCP_LISTENERS, internals.UNIX_LISTENERS),
            [*opened.pids, os.getpid()],
            BASELINE,
            _INTERVAL_SECONDS,
            round(_BASELINE_SECONDS / _INTERVAL_SECONDS),
        )
        for number in range(measured.rounds):
            rounds.append(_round(baseline, workload, measured.seconds))
            progress((number + 1) / measured.rounds)
    return _result(workload, measured, rounds)


def wait_for_all(others: int) -> None:
    """Return once the daemon samples so many other namespaces. Raises ProgramUnavailableError."""
    wait_for(lambda: namespaces(metrics()) > others, "a sample of every namespace", every_seconds=0.5)


def _round(baseline: NamespacesBaseline, workload: Namespaces, seconds: float) -> _Round:
    floor = baseline.measure().cpu_seconds
    with ExitStack() as stack:
        daemon = Daemon(stack, config=_CONFIG, namespaces=True).wait_ready()
        wait_for_all(workload.namespaces)
        time.sleep(_WARM_UP_SECONDS)
        # Pages are not part of it: one is written before, one after.
        before = metrics()
        began, used = time.monotonic(), daemon.tree.cpu_seconds()
        time.sleep(seconds)
        used, took = daemon.tree.cpu_seconds() - used, time.monotonic() - began
        made = passes(before, metrics())
    if made <= 0:
        raise RuntimeError(f"no namespace was sampled in {took:.1f} s")
    return _Round(used / made, floor, used / took, made / took)


def _result(workload: Namespaces, measured: Unlimited, rounds: list[_Round]) -> CaseResult:
    share = Summary.of([each.share for each in rounds])
    ratio = Summary.of([each.pass_seconds / each.baseline_seconds for each in rounds])
    rows = (
        (SAMPLE_TABLE, BASELINE, "s", Summary.of([each.baseline_seconds for each in rounds])),
        (SAMPLE_TABLE, EXPORTER, "s", Summary.of([each.pass_seconds for each in rounds])),
        (SHARE_TABLE, "share of a core", "share", share),
        (SHARE_TABLE, "samples a second", "count", Summary.of([each.passes_per_second for each in rounds])),
    )
    limited = [(measured.pass_limit, ratio)]
    if measured.share_limit:
        limited.append((measured.share_limit, share))
    return CaseResult(
        tuple(
            Measurement(table, str(workload), workload.namespaces, name, unit, summary)
            for table, name, unit, summary in rows
        ),
        tuple(limited),
    )
