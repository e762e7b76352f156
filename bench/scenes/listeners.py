"""One sample of the accept queues, beside the floor and other programs."""

from __future__ import annotations

from contextlib import ExitStack

from bench.cost import Figure, Findings, Spread
from bench.lineup import FLOOR, OURS, OURS_QUIET, PROCFS, RAINDROPS, SS, Lineup
from bench.load import Held, Load
from bench.measure import Progress, Rounds, interleave
from bench.program import Built
from bench.subject import python

IDLE_TABLE = "One sample of the accept queues, nothing changing"
CHANGING_TABLE = "One sample of the accept queues, some of them changing in every sample"


def idle(built: Built, load: Load, rounds: Rounds, progress: Progress, *, bars: bool) -> Findings:
    """Measure listeners whose queues do not move. `bars` tells whether this load is the one with bars.

    Once with a few segments coming in before each look, as on a host that is used, and once without,
    when this exporter sees that no queue can have grown and asks only now and then.
    """
    with ExitStack() as stack:
        held = stack.enter_context(Held(load))
        lineup = Lineup(built, stack)
        lineup.floor()
        lineup.worker(OURS, "inet")
        lineup.others()
        poked = Rounds(rounds.rounds, rounds.repetitions, before=held.poke)
        found = interleave(lineup.subjects, poked, progress)
        minute = python(OURS_QUIET, "bench.worker", "inet_minute", within=stack)
        quiet = int(minute.ask("once")[2]) / 1e9
    others = [("ss", SS), ("raindrops", RAINDROPS), ("procfs", PROCFS)]
    others = [(bar, name) for bar, name in others if found.has(name)]
    reached = [("idle", found.ratio(OURS, FLOOR))]
    reached += [(bar, found.ratio(name, OURS)) for bar, name in others]
    reached += [(f"{bar}_silent", found.over(name, quiet)) for bar, name in others]
    figures = (
        *found.figures(IDLE_TABLE, load, load.listeners),
        Figure(IDLE_TABLE, str(load), load.listeners, OURS_QUIET, "s", Spread.of([quiet])),
    )
    return Findings(figures, tuple(reached) if bars else (), tuple(lineup.missing))


def changing(built: Built, load: Load, moved: int, rounds: Rounds, progress: Progress) -> Findings:
    """Measure listeners of which `moved` have another queue length in every sample."""
    with ExitStack() as stack:
        held = stack.enter_context(Held(load))
        lineup = Lineup(built, stack)
        lineup.floor()
        lineup.worker(OURS, "inet")
        always = Rounds(rounds.rounds, rounds.repetitions, before=lambda: held.change(moved))
        found = interleave(lineup.subjects, always, progress)
    figures = found.figures(CHANGING_TABLE, load, moved)
    bar = "changing_mixed" if load.ipv6_every else "changing"
    return Findings(
        tuple(figure.renamed(f"{load}, {moved:,} changing") for figure in figures),
        ((bar, found.ratio(OURS, FLOOR)),),
    )
