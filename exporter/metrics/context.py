"""What every figure of one page is taken from, and how a metric of the exporter is declared."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from exporter.metrics.catalogue import Metric
from exporter.sampling.sampler import Sampler


@dataclass(frozen=True, slots=True)
class Reload:
    """How the last reading of the configuration went; `timestamp` is that of the last success."""

    successful: bool
    timestamp: float


@dataclass(frozen=True, slots=True)
class ScrapeContext:
    """All that the figures of one page are taken from."""

    sampler: Sampler
    reload: Reload
    now: float
    listeners: int
    omitted: int


Sample = tuple[dict[str, str], float]
Read = Callable[[ScrapeContext], Iterable[Sample]]


def exporter(  # noqa: PLR0913  (a declaration names all that there is)
    name: str, kind: str, help_text: str, labels: tuple[str, ...], read: Read, *, needs_history: bool = False
) -> tuple[Metric, Read]:
    """Declare a metric of the exporter."""
    return Metric(f"listen_queue_exporter_{name}", kind, help_text, labels, needs_history), read


def one(read: Callable[[ScrapeContext], float]) -> Read:
    """Read a metric that has one series."""
    return lambda context: [({}, read(context))]
