"""Half-open connections: one sample of them, and the walk that it may spare."""

from __future__ import annotations

from contextlib import ExitStack

from bench.cost import Figure, Findings, Spread
from bench.lineup import COUNT, OURS, PROCFS, SYN_RECV, SYN_RECV_MEAN, WALK, Lineup
from bench.load import Held, Load
from bench.measure import Progress, Rounds, interleave
from bench.program import Built
from bench.subject import python
from exporter.kernel.sock_diag import requests

CONNECTIONS_TABLE = "Beside established connections"
HALF_OPEN_TABLE = "Half-open connections"


def established(built: Built, load: Load, rounds: Rounds, progress: Progress, *, bars: bool) -> Findings:
    """Measure beside many established connections, with a few segments coming in before each look.

    Without those segments a sample would see that nothing came in and not ask at all.
    """
    with ExitStack() as stack:
        held = stack.enter_context(Held(load))
        lineup = Lineup(built, stack)
        lineup.floor()
        lineup.worker(OURS, "inet")
        lineup.floor(requests.SYN_RECV, WALK)
        lineup.worker(SYN_RECV, "syn_recv")
        lineup.others(slow=False)
        poked = Rounds(rounds.rounds, rounds.repetitions, before=held.poke)
        found = interleave(lineup.subjects, poked, progress)
        minute = python(SYN_RECV_MEAN, "bench.worker", "syn_recv_minute", within=stack)
        mean = Spread.of([int(minute.ask("once")[2]) / 1e9])
    reached = (("syn_recv", found.ratio(SYN_RECV, WALK)),) if bars else ()
    figures = (
        *found.figures(CONNECTIONS_TABLE, load, load.connections),
        Figure(CONNECTIONS_TABLE, str(load), load.connections, SYN_RECV_MEAN, "s", mean),
    )
    return Findings(figures, reached, tuple(lineup.missing))


def flooded(built: Built, load: Load, rounds: Rounds, progress: Progress, *, bars: bool) -> Findings:
    """Measure beside many half-open connections of one listener."""
    with ExitStack() as stack:
        stack.enter_context(Held(load))
        lineup = Lineup(built, stack)
        lineup.floor(requests.SYN_RECV, WALK)
        counting = lineup.worker(COUNT, "walk")
        # The very first walk is the one that makes the process grow.
        growth = Spread.of([float(counting.ask("once")[2])])
        lineup.worker(SYN_RECV, "syn_recv")
        lineup.worker(PROCFS, "procfs")
        found = interleave(lineup.subjects, rounds, progress)
    reached = (("walk", found.ratio(COUNT, WALK)), ("walk_memory", growth)) if bars else ()
    return Findings(found.figures(HALF_OPEN_TABLE, load, load.half_open), reached)
