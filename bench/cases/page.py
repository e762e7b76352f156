"""Writing the metrics page, beside prometheus_client's own writer."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from bench.comparison import Comparison
from bench.executables import Compiled
from bench.results import CaseResult
from bench.timing import Progress, Rounds, measure
from bench.workloads.sockets import OpenSockets, Sockets

TABLE: Final = "Writing the page, without histograms"
PAGE: Final = "page of this exporter"
REFERENCE: Final = "generate_latest of prometheus_client"


def written(
    compiled: Compiled, sockets: Sockets, rounds: Rounds, progress: Progress, *, changed: int = 0
) -> CaseResult:
    """Measure writing the same families; `changed` queues change before each page."""
    with ExitStack() as stack:
        opened = stack.enter_context(OpenSockets(sockets))
        comparison = Comparison(compiled, stack)
        _, lines = comparison.add_worker(PAGE, "page").run()
        comparison.add_worker(REFERENCE, "generate_latest")
        before = (lambda: opened.change(changed)) if changed else None
        times = measure(comparison.programs, Rounds(rounds.rounds, 1, before), progress)
    workload = f"{sockets}, {lines:,} lines"
    workload += f", {changed:,} queues changed since the last page" if changed else ""
    return CaseResult(
        tuple(
            measurement.with_workload(workload)
            for measurement in times.measurements(TABLE, sockets, sockets.listeners)
        ),
        (("page_changing" if changed else "page", times.ratio(PAGE, REFERENCE)),),
    )
