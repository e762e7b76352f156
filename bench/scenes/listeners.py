"""One sample of the accept queues, beside the floor and other programs."""

from __future__ import annotations

from contextlib import ExitStack

from bench.cost import Findings
from bench.lineup import FLOOR, OURS, PROCFS, RAINDROPS, SS, Lineup
from bench.load import Held, Load
from bench.measure import Progress, Rounds, interleave
from bench.program import Built

IDLE_TABLE = "One sample of the accept queues, nothing changing"
CHANGING_TABLE = "One sample of the accept queues, some of them changing in every sample"


def idle(built: Built, load: Load, rounds: Rounds, progress: Progress, *, bars: bool) -> Findings:
    """Measure listeners whose queues do not move. `bars` tells whether this load is the one with bars."""
    with ExitStack() as stack:
        stack.enter_context(Held(load))
        lineup = Lineup(built, stack)
        lineup.floor()
        lineup.worker(OURS, "inet")
        lineup.others()
        found = interleave(lineup.subjects, rounds, progress)
    others = (("ss", SS), ("raindrops", RAINDROPS), ("procfs", PROCFS))
    reached = [("idle", found.ratio(OURS, FLOOR))]
    reached += [(bar, found.ratio(name, OURS)) for bar, name in others if found.has(name)]
    return Findings(
        found.figures(IDLE_TABLE, load, load.listeners), tuple(reached) if bars else (), tuple(lineup.missing)
    )


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
