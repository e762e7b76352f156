"""The page beside prometheus_client's own writer."""

from __future__ import annotations

from contextlib import ExitStack

from bench.cost import Findings
from bench.lineup import Lineup
from bench.load import Held, Load
from bench.measure import Progress, Rounds, interleave
from bench.program import Built

TABLE = "Writing the page, without histograms"
PAGE = "page of this exporter"
REFERENCE = "generate_latest of prometheus_client"


def written(built: Built, load: Load, rounds: Rounds, progress: Progress, *, moved: int = 0) -> Findings:
    """Measure writing the same families; `moved` queues change before each page."""
    with ExitStack() as stack:
        held = stack.enter_context(Held(load))
        lineup = Lineup(built, stack)
        page = lineup.worker(PAGE, "page")
        lineup.worker(REFERENCE, "generate_latest")
        lines = int(page.ask("once")[2])
        always = Rounds(rounds.rounds, 1, before=(lambda: held.change(moved)) if moved else None)
        found = interleave(lineup.subjects, always, progress)
    text = f"{load}, {lines:,} lines" + (f", {moved:,} queues changed since the last page" if moved else "")
    return Findings(
        tuple(figure.renamed(text) for figure in found.figures(TABLE, load, load.listeners)),
        (("page_changing" if moved else "page", found.ratio(PAGE, REFERENCE)),),
    )
