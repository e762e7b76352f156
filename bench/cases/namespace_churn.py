"""What is left of network namespaces that come and go."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from statistics import median
from typing import Final, Self

from bench.daemon import Daemon, metrics
from bench.intervals import namespaces
from bench.programs import wait_for
from bench.results import CaseResult, Measurement, Summary
from bench.timing import Progress
from bench.workloads.containers import Containers

TABLE: Final = "What is left of network namespaces that come and go, one scrape every 5 s"
_LIFE_SECONDS: Final = 3.0
_SCRAPE_SECONDS: Final = 5.0
# After the last has ended: discovery looks once a second, and a page is older than what it shows.
_SETTLE_SECONDS: Final = 10.0


@dataclass(frozen=True, slots=True)
class Held:
    """What the exporter holds: descriptors of all its processes, namespaces, and series that name one."""

    descriptors: int
    namespaces: int
    series: int

    @classmethod
    def by(cls, daemon: Daemon) -> Self:
        """Count it. Descriptors that are open for a moment do not count: the least of several looks does."""
        page = metrics()
        of_namespaces = sum('netns="' in line for line in page.series())
        return cls(least(daemon.tree.descriptors), namespaces(page), of_namespaces)

    def more_than(self, other: Held) -> Held:
        """Return what is more than in another, 0 where it is less."""
        return Held(
            max(0, self.descriptors - other.descriptors),
            max(0, self.namespaces - other.namespaces),
            max(0, self.series - other.series),
        )


def made_and_removed(per_second: int, seconds: float, progress: Progress) -> CaseResult:
    """Make so many namespaces a second, and remove each after 3 s; compare what is held before and after."""
    with ExitStack() as stack:
        containers = stack.enter_context(Containers())
        daemon = Daemon(stack, namespaces=True).wait_ready()
        _one(containers)
        before = Held.by(daemon)
        made, points = _churn(containers, daemon, per_second, seconds, progress)
        time.sleep(_SETTLE_SECONDS)
        left = Held.by(daemon).more_than(before)
    growth = growth_after_first_fifth(points)
    rows = (
        ("descriptors left", "count", left.descriptors),
        ("namespaces left", "count", left.namespaces),
        ("series left", "count", left.series),
        ("resident memory at the start", "B", points[0][1]),
        ("resident memory at the end", "B", points[-1][1]),
        ("its growth after a fifth of the time", "B", growth),
    )
    workload = f"{made:,} namespaces with veth in {seconds:g} s"
    everything = float(left.descriptors + left.namespaces + left.series)
    return CaseResult(
        tuple(
            Measurement(TABLE, workload, made, name, unit, Summary.of([value])) for name, unit, value in rows
        ),
        (("churn_left", Summary.of([everything])), ("churn_memory", Summary.of([growth]))),
    )


def least(count: Callable[[], int], looks: int = 40, pause_seconds: float = 0.013) -> int:
    """Return the least of several counts, which are not in step with anything that is done every 50 ms."""
    found = []
    for _ in range(looks):
        found.append(count())
        time.sleep(pause_seconds)
    return min(found)


def growth_after_first_fifth(points: Sequence[tuple[float, float]]) -> float:
    """Return how much the last fifth of the values is above the second, medians of each.

    A point is a time and a value. Of five minutes the first is left out.
    """
    begin, end = points[0][0], points[-1][0]
    fifth = (end - begin) / 5
    early = [value for at, value in points if begin + fifth <= at <= begin + 2 * fifth]
    late = [value for at, value in points if at >= end - fifth]
    return median(late) - median(early)


def _one(containers: Containers) -> None:
    """Have one namespace come and go, so that what is opened for the first is open."""
    container = containers.make()
    wait_for(lambda: namespaces(metrics()) > 1, "a sample of the namespace")
    containers.kill(container)
    wait_for(lambda: namespaces(metrics()) == 1, "the end of the namespace")
    time.sleep(_SETTLE_SECONDS)


def _churn(
    containers: Containers, daemon: Daemon, per_second: int, seconds: float, progress: Progress
) -> tuple[int, list[tuple[float, float]]]:
    """Return how many were made, and the resident memory of all processes at times in seconds."""
    made, points, ends = 0, [(0.0, float(daemon.tree.memory().total))], []
    started = time.monotonic()
    while (passed := time.monotonic() - started) < seconds:
        ends.append((passed + _LIFE_SECONDS, containers.make()))
        made += 1
        while ends[0][0] <= passed:
            containers.kill(ends.pop(0)[1])
        if passed >= len(points) * _SCRAPE_SECONDS:
            metrics()
            points.append((passed, float(daemon.tree.memory().total)))
            progress(passed / seconds)
        time.sleep(max(0.0, started + made / per_second - time.monotonic()))
    for container in containers.running:
        containers.kill(container)
    return made, points
