"""One sample of the listeners of many network namespaces."""

from __future__ import annotations

import sys
from contextlib import ExitStack
from typing import Final

from bench.comparison import BASELINE, EXPORTER, Comparison
from bench.executables import Compiled
from bench.results import CaseResult
from bench.timing import Progress, Rounds, measure
from bench.workloads.namespaces import Namespaces, OpenNamespaces

TABLE: Final = "One sample of all other network namespaces"


def sampled(compiled: Compiled, namespaces: Namespaces, rounds: Rounds, progress: Progress) -> CaseResult:
    """Measure a sample of the listeners of every namespace but that of the programs, which has none."""
    with ExitStack() as stack:
        opened = stack.enter_context(OpenNamespaces(namespaces))
        print(f"{namespaces}: opened in {opened.setup_seconds:.2f} s", file=sys.stderr)
        comparison = Comparison(compiled, stack)
        comparison.add_namespaces_baseline(opened.pids)
        comparison.add_worker(EXPORTER, "namespaces")
        times = measure(comparison.programs, rounds, progress)
    return CaseResult(
        times.measurements(TABLE, namespaces, namespaces.namespaces),
        (("namespaces", times.ratio(EXPORTER, BASELINE)),),
        tuple(comparison.not_measured),
    )
