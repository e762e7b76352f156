"""Half-open connections: a sample of them, and the dump that a sample often makes unnecessary."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Final

from bench import exporter_internals as internals
from bench.comparison import (
    EXPORTER,
    PROCFS,
    SYN_RECV,
    SYN_RECV_BASELINE,
    SYN_RECV_DUMP,
    SYN_RECV_MEAN,
    Comparison,
)
from bench.executables import Compiled
from bench.programs import Worker
from bench.results import CaseResult, Measurement, Summary
from bench.timing import Progress, Rounds, measure
from bench.workloads.sockets import OpenSockets, Sockets

CONNECTIONS_TABLE: Final = "With established connections"
SYN_RECV_TABLE: Final = "Half-open connections"
_NANOSECOND: Final = 1e-9


def established(
    compiled: Compiled, sockets: Sockets, rounds: Rounds, progress: Progress, *, limited: bool
) -> CaseResult:
    """Measure beside established connections, after TCP segments were received.

    Without segments a sample would read from the kernel's counters that there were none, and not dump.
    """
    with ExitStack() as stack:
        opened = stack.enter_context(OpenSockets(sockets))
        comparison = Comparison(compiled, stack)
        comparison.add_baseline()
        comparison.add_worker(EXPORTER, "inet")
        comparison.add_baseline(internals.SYN_RECV, SYN_RECV_BASELINE)
        comparison.add_worker(SYN_RECV, "syn_recv")
        comparison.add_peers(slow=False)
        with_segments = Rounds(rounds.rounds, rounds.repetitions, before=opened.receive_segments)
        times = measure(comparison.programs, with_segments, progress)
        _, nanoseconds = Worker.python(SYN_RECV_MEAN, "syn_recv_minute", stack).run()
    mean = Summary.of([nanoseconds * _NANOSECOND])
    return CaseResult(
        (
            *times.measurements(CONNECTIONS_TABLE, sockets, sockets.connections),
            Measurement(CONNECTIONS_TABLE, str(sockets), sockets.connections, SYN_RECV_MEAN, "s", mean),
        ),
        (("syn_recv", times.ratio(SYN_RECV, SYN_RECV_BASELINE)),) if limited else (),
        tuple(comparison.not_measured),
    )


def flooded(
    compiled: Compiled, sockets: Sockets, rounds: Rounds, progress: Progress, *, limited: bool
) -> CaseResult:
    """Measure beside half-open connections of one listener."""
    with ExitStack() as stack:
        stack.enter_context(OpenSockets(sockets))
        comparison = Comparison(compiled, stack)
        comparison.add_baseline(internals.SYN_RECV, SYN_RECV_BASELINE)
        # The first dump is the one in which the process grows.
        _, growth = comparison.add_worker(SYN_RECV_DUMP, "syn_recv_dump").run()
        comparison.add_worker(SYN_RECV, "syn_recv")
        comparison.add_worker(PROCFS, "procfs")
        times = measure(comparison.programs, rounds, progress)
    values = (
        ("syn_recv_dump", times.ratio(SYN_RECV_DUMP, SYN_RECV_BASELINE)),
        ("syn_recv_dump_memory", Summary.of([growth])),
    )
    return CaseResult(
        times.measurements(SYN_RECV_TABLE, sockets, sockets.syn_recv), values if limited else ()
    )
