"""One sample of the accept queues, beside the C baseline and other programs."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from bench.comparison import BASELINE, EXPORTER, EXPORTER_NO_SEGMENTS, PROCFS, RAINDROPS, SS, Comparison
from bench.executables import Compiled
from bench.programs import Worker
from bench.results import CaseResult, Measurement, Summary
from bench.timing import Progress, Rounds, measure
from bench.workloads.sockets import OpenSockets, Sockets

IDLE_TABLE: Final = "One sample of the accept queues, nothing changing"
CHANGING_TABLE: Final = "One sample of the accept queues, some of them changing in every sample"
_NANOSECOND: Final = 1e-9


def idle(
    compiled: Compiled, sockets: Sockets, rounds: Rounds, progress: Progress, *, limited: bool
) -> CaseResult:
    """Measure listeners whose queues do not change. `limited`: there are limits for this workload.

    All programs are measured after TCP segments were received. The exporter is measured without them too: it
    reads from the kernel's counters that no queue can have grown, and dumps once a second only.
    """
    with ExitStack() as stack:
        opened = stack.enter_context(OpenSockets(sockets))
        comparison = Comparison(compiled, stack)
        comparison.add_baseline()
        comparison.add_worker(EXPORTER, "inet")
        comparison.add_peers()
        with_segments = Rounds(rounds.rounds, rounds.repetitions, before=opened.receive_segments)
        times = measure(comparison.programs, with_segments, progress)
        _, nanoseconds = Worker.python(EXPORTER_NO_SEGMENTS, "inet_minute", stack).run()
        no_segments = nanoseconds * _NANOSECOND
    peers = [("ss", SS), ("raindrops", RAINDROPS), ("procfs", PROCFS)]
    peers = [(limit, name) for limit, name in peers if times.has(name)]
    ratios = [("idle", times.ratio(EXPORTER, BASELINE))]
    ratios += [(limit, times.ratio(name, EXPORTER)) for limit, name in peers]
    ratios += [(f"{limit}_no_segments", times.ratio_to(name, no_segments)) for limit, name in peers]
    return CaseResult(
        (
            *times.measurements(IDLE_TABLE, sockets, sockets.listeners),
            Measurement(
                IDLE_TABLE,
                str(sockets),
                sockets.listeners,
                EXPORTER_NO_SEGMENTS,
                "s",
                Summary.of([no_segments]),
            ),
        ),
        tuple(ratios) if limited else (),
        tuple(comparison.not_measured),
    )


def changing(
    compiled: Compiled, sockets: Sockets, changed: int, rounds: Rounds, progress: Progress
) -> CaseResult:
    """Measure listeners of which `changed` have another queue length in every sample."""
    with ExitStack() as stack:
        opened = stack.enter_context(OpenSockets(sockets))
        comparison = Comparison(compiled, stack)
        comparison.add_baseline()
        comparison.add_worker(EXPORTER, "inet")
        with_changes = Rounds(rounds.rounds, rounds.repetitions, before=lambda: opened.change(changed))
        times = measure(comparison.programs, with_changes, progress)
    workload = f"{sockets}, {changed:,} changing"
    return CaseResult(
        tuple(
            measurement.with_workload(workload)
            for measurement in times.measurements(CHANGING_TABLE, sockets, changed)
        ),
        (("changing_mixed" if sockets.ipv6_every else "changing", times.ratio(EXPORTER, BASELINE)),),
    )
