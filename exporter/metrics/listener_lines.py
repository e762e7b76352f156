"""The lines of one listener: labels are written once, values again only when something happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from exporter.config.model import Severity
from exporter.metrics.catalogue import LISTENER_METRICS
from exporter.metrics.exposition import label_set, number
from exporter.metrics.listener_metrics import (
    GAUGES_AND_COUNTERS,
    HISTOGRAM,
    INFO,
    QUEUES,
    THRESHOLDS,
    QueueOf,
    ThresholdOf,
    info_labels,
)
from exporter.metrics.metric import Labels, Metric
from exporter.owners.owner import OWNER_FACTS, UNKNOWN_OWNER
from exporter.sampling.history.accept import BUCKETS
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace_sampler import ACCEPT

_INFO_FAMILY: Final = LISTENER_METRICS.index(INFO)
_HISTOGRAM_FAMILY: Final = LISTENER_METRICS.index(HISTOGRAM)
_BOUNDS: Final = (*(number(bound) for bound in BUCKETS), "+Inf")


@dataclass(frozen=True, slots=True)
class _Series:
    """One series of every listener: the labels beside those of the listener, and how its value is read.

    `family` is the place of its metric in LISTENER_METRICS.
    """

    name: str
    family: int
    labels: Labels
    source: str
    read: Callable[[ListenerState], float | None]


def _series(
    metric: Metric[Any, float], labels: Labels, source: str, read: Callable[[ListenerState], float | None]
) -> _Series:
    return _Series(metric.sample_name, LISTENER_METRICS.index(metric), labels, source, read)


def _threshold_series(metric: Metric[ThresholdOf, float], queue: QueueOf, severity: Severity) -> _Series:
    def read(state: ListenerState) -> float | None:
        history = queue.history(state)
        if history is None:
            return None
        threshold = ThresholdOf(history, severity)
        return metric.read(threshold) if threshold.known else None

    return _series(metric, {"queue": queue.queue, "severity": severity}, queue.source, read)


_SERIES: Final = (
    *(_series(metric, {}, metric.source or ACCEPT, metric.read) for metric in GAUGES_AND_COUNTERS),
    *(
        _threshold_series(metric, queue, severity)
        for metric in THRESHOLDS
        for queue in QUEUES
        for severity in Severity
    ),
)


class ListenerLines:
    """Writes the series of one listener."""

    def __init__(self, state: ListenerState, labels: tuple[str, ...]) -> None:
        """Write the labels; `labels` names the facts about the owner that are on every series."""
        self._state = state
        self._identity = _identity(state)
        # From which revision and sources the kept lines were written; None where time alone changes them.
        self._written: tuple[int, AbstractSet[str]] | None = None
        self._lines: tuple[bytes, ...] = ()
        owner = state.owner or UNKNOWN_OWNER
        common = dict(state.group.key._asdict()) | {
            fact.name: fact.of(owner) for fact in OWNER_FACTS if fact.name in labels
        }
        self._prefixes = [f"{series.name}{{{label_set(common | series.labels)}}} " for series in _SERIES]
        self._info = f"{INFO.name}{{{label_set(common | info_labels(state))}}} 1.0\n"
        self._histogram = "".join(_histogram_template(common))

    def current(self) -> bool:
        """Tell whether the labels are still right; where they are not, new lines have to be made."""
        return self._identity == _identity(self._state)

    def write(self, sources: AbstractSet[str], *, histogram: bool) -> tuple[bytes, ...]:
        """Return the lines of each family, in the order of LISTENER_METRICS.

        `sources` are those that are healthy; without `accept` there are no lines.
        """
        wanted = (self._state.revision, sources)
        if wanted != self._written:
            self._lines = tuple(self._scalars(sources))
            self._written = wanted if self._state.time_invariant() else None
        return (*self._lines, self._buckets() if histogram and ACCEPT in sources else b"")

    def _scalars(self, sources: AbstractSet[str]) -> Iterator[bytes]:
        # All but the histogram, which changes with every sample.
        lines = [""] * _HISTOGRAM_FAMILY
        for series, prefix in zip(_SERIES, self._prefixes, strict=True):
            value = series.read(self._state) if series.source in sources else None
            if value is not None:
                lines[series.family] += f"{prefix}{number(value)}\n"
        if ACCEPT in sources:
            lines[_INFO_FAMILY] = self._info
        return map(str.encode, lines)

    def _buckets(self) -> bytes:
        observed = HISTOGRAM.read(self._state)
        if observed is None:
            return b""
        counts, total = observed
        return (self._histogram % tuple(map(number, (*counts, counts[-1], total)))).encode()


def _identity(state: ListenerState) -> tuple[object, ...]:
    """Return what the labels are made from."""
    return state.owner, state.rule_match, state.mptcp


def _histogram_template(labels: Labels) -> Iterator[str]:
    """Write the lines of a histogram with a `%s` for each value."""
    for bound in _BOUNDS:
        yield _line_template(f"{HISTOGRAM.name}_bucket{{{label_set(labels | {'le': bound})}}}")
    for part in ("count", "sum"):
        yield _line_template(f"{HISTOGRAM.name}_{part}{{{label_set(labels)}}}")


def _line_template(name: str) -> str:
    return f"{name.replace('%', '%%')} %s\n"
