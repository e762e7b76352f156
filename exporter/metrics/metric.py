"""What a metric is: of what it has a series, and how the value of each is read.

Names follow https://prometheus.io/docs/practices/naming/.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from exporter.metrics.context import ScrapeContext

Item = TypeVar("Item")
Value = TypeVar("Value")
Labels = dict[str, str]


@dataclass(frozen=True, slots=True)
class Subject(Generic[Item]):
    """What metrics have a series of. `labels` are the names of the labels that tell the series apart.

    `items` gives, for one scrape, the labels of each series and what its value is read from. It is None for
    listeners, whose lines are kept from one scrape to the next (exporter/metrics/listener_lines.py).
    `tcp_only` is set where only listeners with a SYN queue have the series.
    """

    title: str
    labels: tuple[str, ...]
    items: Callable[[ScrapeContext], Iterable[tuple[Labels, Item]]] | None = None
    tcp_only: bool = False


@dataclass(frozen=True, slots=True)
class Metric(Generic[Item, Value]):
    """A family of series. `name` is without the `_total` of a counter.

    `read` returns None where there is no series. `source` names the source that must be healthy for the
    series of a listener or a namespace to be published, and `needs_history` is set where one sample of a
    program that has just started tells nothing: `show --prometheus` leaves such metrics out. `full` is set
    where a listener has the series only with `export: full`. `buckets` are the upper bounds of a histogram.
    """

    subject: Subject[Item]
    name: str
    type: Literal["gauge", "counter", "histogram"]
    help: str
    read: Callable[[Item], Value | None]
    source: str | None = None
    needs_history: bool = False
    full: bool = False
    buckets: tuple[float, ...] = ()

    @property
    def sample_name(self) -> str:
        """The name that queries use."""
        return f"{self.name}_total" if self.type == "counter" else self.name
