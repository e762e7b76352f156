"""How long the veth of a killed container stays, with and without the exporter."""

from __future__ import annotations

import random
import time
from contextlib import ExitStack
from typing import Final

from bench.cases.namespaces import wait_for_all
from bench.daemon import Daemon
from bench.results import CaseResult, Measurement, Summary
from bench.timing import Progress
from bench.workloads.containers import Containers

TABLE: Final = "Wall time until the veth of a killed container is gone"
_WITHOUT: Final = "without exporter"
_WITH: Final = "with this exporter, defaults"
# So that a kill is at any time of the exporter's interval.
_MAX_PAUSE_SECONDS: Final = 0.05
_WARM_UP_SECONDS: Final = 3.0


def killed(containers: int, progress: Progress) -> CaseResult:
    """Kill so many containers one after the other without the exporter, and as many with it.

    The times are compared by their ranks: the shortest with the shortest, and so on to the longest.
    """
    times: dict[str, list[float]] = {}
    for name in (_WITHOUT, _WITH):
        with ExitStack() as stack:
            made = stack.enter_context(Containers())
            for _ in range(containers):
                made.make()
            if name is _WITH:
                Daemon(stack, namespaces=True).wait_ready()
                wait_for_all(containers)
            time.sleep(_WARM_UP_SECONDS)
            times[name] = _removal_seconds(made)
        progress(len(times) / 2)
    later = Summary.of_rank_differences(times[_WITH], times[_WITHOUT])
    rows = [(name, Summary.of(values)) for name, values in times.items()]
    return CaseResult(
        tuple(
            Measurement(TABLE, f"{containers:,} containers", containers, name, "s", summary)
            for name, summary in [*rows, ("later, compared by rank", later)]
        ),
        (("removal", Summary.of([later.maximum])),),
    )


def _removal_seconds(containers: Containers) -> list[float]:
    chances = random.Random(0)  # noqa: S311 # no secret depends on it
    times = []
    for container in containers.running:
        time.sleep(chances.uniform(0.0, _MAX_PAUSE_SECONDS))
        times.append(containers.removal_seconds(container))
    return times
