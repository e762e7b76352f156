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
class Moment:
    """All that the figures of one page are taken from."""

    sampler: Sampler
    reload: Reload
    now: float
    listeners: int
    omitted: int


Sample = tuple[dict[str, str], float]
Read = Callable[[Moment], Iterable[Sample]]


def exporter(  # noqa: PLR0913  (a declaration names all that there is)
    name: str, kind: str, help_text: str, labels: tuple[str, ...], read: Read, *, takes_time: bool = False
) -> tuple[Metric, Read]:
    """Declare a metric of the exporter."""
    return Metric(f"listen_queue_exporter_{name}", kind, help_text, labels, takes_time), read


def one(read: Callable[[Moment], float]) -> Read:
    """Read a metric that has one series."""
    return lambda moment: [({}, read(moment))]
