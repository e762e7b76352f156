"""Single values of a page, and waiting for them."""

from __future__ import annotations

from typing import Protocol

from testbed.page import Page
from testbed.waiting import until

# As fast as the machine allows, so that no test has to wait for the next sample, and with every series.
EAGER = "sampling: {interval: 10ms, cpu_budget: 100%}\ndefaults: {export: full}\n"


class Served(Protocol):
    """What serves a page of metrics."""

    def metrics(self) -> Page:
        """The page, parsed."""
        ...


def figure(served: Served, name: str, **labels: str) -> float | None:
    """A value by the name of its metric without `listen_queue_`; None where no series has these labels."""
    found = served.metrics().all(f"listen_queue_{name}", **labels)
    assert len(found) <= 1, found
    return next(iter(found.values()), None)


def until_figure(served: Served, wanted: float | None, name: str, **labels: str) -> None:
    """Return when a series has this value, or for None does not exist; fails the test at the deadline."""
    until(lambda: figure(served, name, **labels), lambda found: found == wanted)


def until_sampled(served: Served, source: str, count: int = 3) -> None:
    """Return when a source has taken so many samples more; fails the test at the deadline."""
    name = "exporter_samples_total"
    first = figure(served, name, source=source) or 0
    until(lambda: figure(served, name, source=source) or 0, lambda taken: taken >= first + count)
