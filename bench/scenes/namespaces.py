"""One pass over many network namespaces."""

from __future__ import annotations

import sys
from contextlib import ExitStack

from bench.cost import Findings
from bench.lineup import FLOOR, OURS, Lineup
from bench.measure import Progress, Rounds, interleave
from bench.namespaces import HeldNamespaces, NamespacesLoad
from bench.program import Built

TABLE = "One pass over other network namespaces"


def visited(built: Built, load: NamespacesLoad, rounds: Rounds, progress: Progress) -> Findings:
    """Measure one look at the listeners of every namespace, by all who can make it.

    Listeners of the namespace that all this runs in are no part of it: there are none.
    """
    with ExitStack() as stack:
        held = stack.enter_context(HeldNamespaces(load))
        print(f"{load}: built in {held.build_seconds:.2f} s", file=sys.stderr)
        lineup = Lineup(built, stack)
        lineup.floor_of_namespaces(held.pids)
        lineup.worker(OURS, "pass")
        found = interleave(lineup.subjects, rounds, progress)
    reached = (("namespaces", found.ratio(OURS, FLOOR)),) if found.has(OURS) else ()
    return Findings(found.figures(TABLE, load, load.namespaces), reached, tuple(lineup.missing))
