"""Unix listeners beside many connected unix sockets."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from bench import exporter_internals as internals
from bench.comparison import BASELINE, EXPORTER, Comparison
from bench.executables import Compiled
from bench.results import CaseResult
from bench.timing import Progress, Rounds, measure
from bench.workloads.sockets import OpenSockets, Sockets

TABLE: Final = "Unix listeners with connected unix sockets"


def connected(compiled: Compiled, sockets: Sockets, rounds: Rounds, progress: Progress) -> CaseResult:
    """Measure one sample of the unix listeners."""
    with ExitStack() as stack:
        stack.enter_context(OpenSockets(sockets))
        comparison = Comparison(compiled, stack)
        comparison.add_baseline(internals.UNIX_LISTENERS)
        comparison.add_worker(EXPORTER, "unix")
        comparison.add_ss("-Hxl")
        times = measure(comparison.programs, rounds, progress)
    return CaseResult(
        times.measurements(TABLE, sockets, sockets.unix_connections),
        (("unix", times.ratio(EXPORTER, BASELINE)),),
        tuple(comparison.not_measured),
    )
