"""Writing the metrics page, beside prometheus_client's own writer."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from bench.comparison import Comparison
from bench.executables import Compiled
from bench.results import CaseResult
from bench.timing import Progress, Rounds, measure
from bench.workloads.sockets import OpenSockets, Sockets

TABLE: Final = "Writing the page, with every series (full) and with the usual ones (lean)"
PAGE: Final = "page of this exporter"
REFERENCE: Final = "generate_latest of prometheus_client"


def written(  # noqa: PLR0913 # a case is made from all that tells it from the others
    compiled: Compiled, sockets: Sockets, export: str, rounds: Rounds, progress: Progress, *, changed: int = 0
) -> CaseResult:
    """Measure writing the families of `export: full` or `lean`; `changed` queues change before each page."""
    with ExitStack() as stack:
        opened = stack.enter_context(OpenSockets(sockets))
        comparison = Comparison(compiled, stack)
        _, lines = comparison.add_worker(PAGE, f"page_{export}").run()
        comparison.add_worker(REFERENCE, f"generate_latest_{export}")
        before = (lambda: opened.change(changed)) if changed else None
        times = measure(comparison.programs, Rounds(rounds.rounds, 1, before), progress)
    workload = f"{sockets}, {export}, {lines:,} lines"
    workload += f", {changed:,} queues changed since the last page" if changed else ""
    return CaseResult(
        tuple(
            measurement.with_workload(workload)
            for measurement in times.measurements(TABLE, sockets, sockets.listeners)
        ),
        ((f"page_{export}_changing" if changed else f"page_{export}", times.ratio(PAGE, REFERENCE)),),
    )
