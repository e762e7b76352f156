"""Unix listeners beside many connected unix sockets."""

from __future__ import annotations

from contextlib import ExitStack

from bench.cost import Findings
from bench.lineup import FLOOR, OURS, Lineup
from bench.load import Held, Load
from bench.measure import Progress, Rounds, interleave
from bench.program import Built
from exporter.kernel.sock_diag import requests

TABLE = "Unix listeners beside connected unix sockets"


def connected(built: Built, load: Load, rounds: Rounds, progress: Progress) -> Findings:
    """Measure one sample of the unix listeners."""
    with ExitStack() as stack:
        stack.enter_context(Held(load))
        lineup = Lineup(built, stack)
        lineup.floor(requests.UNIX_LISTENERS, FLOOR)
        lineup.worker(OURS, "unix")
        lineup.ss("-Hxl")
        found = interleave(lineup.subjects, rounds, progress)
    return Findings(
        found.figures(TABLE, load, load.unix_connections),
        (("unix", found.ratio(OURS, FLOOR)),),
        tuple(lineup.missing),
    )
