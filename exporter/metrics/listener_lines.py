"""The lines of one listener: its labels are written once, its lines again only when something happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

from exporter.config.model import Severity
from exporter.metrics.catalogue import (
    HISTOGRAM,
    INFO,
    LISTENER_METRICS,
    OWNER_INFO_LABELS,
    QUEUES,
    THRESHOLD_METRICS,
    Metric,
    ThresholdMetric,
)
from exporter.metrics.exposition import label_set, number
from exporter.owners.owner import NOBODY
from exporter.sampling.history.accept import BUCKETS
from exporter.sampling.history.queue import QueueHistory
from exporter.sampling.listener_state import WatchedListener
from exporter.sampling.namespace import Showable

FAMILIES: Final[tuple[Metric, ...]] = (*LISTENER_METRICS, *THRESHOLD_METRICS, INFO, HISTOGRAM)
_BOUNDS: Final = (*(number(bound) for bound in BUCKETS), "+Inf")


@dataclass(frozen=True, slots=True)
class _Series:
    """One series of every listener: its name, the labels beside those of the listener, and how it is read."""

    metric: Metric
    labels: dict[str, str]
    source: str
    read: Callable[[WatchedListener], float | None]


def _threshold_reader(
    metric: ThresholdMetric, queue: Callable[[WatchedListener], QueueHistory | None], severity: Severity
) -> Callable[[WatchedListener], float | None]:
    def read(watched: WatchedListener) -> float | None:
        history = queue(watched)
        if history is None or not history.crossings[severity].known:
            return None
        return metric.read(history, severity)

    return read


_SERIES: Final = (
    *(_Series(metric, {}, metric.source, metric.read) for metric in LISTENER_METRICS),
    *(
        _Series(
            metric,
            {"queue": name, "severity": severity},
            source,
            _threshold_reader(metric, queue, severity),
        )
        for metric in THRESHOLD_METRICS
        for name, source, queue in QUEUES
        for severity in Severity
    ),
)


class ListenerLines:
    """Writes the series of one listener."""

    def __init__(self, watched: WatchedListener, owner_labels: tuple[str, ...]) -> None:
        """Write the labels. Make a new one when the owner or the rule changes."""
        self._watched = watched
        self._identity = _identity(watched)
        self._written: tuple[object, ...] | None = None
        self._lines: tuple[bytes, ...] = ()
        owner = watched.owner or NOBODY
        labels = dict(watched.group.key._asdict()) | {name: getattr(owner, name) for name in owner_labels}
        self._prefixes = [
            f"{series.metric.sample_name}{{{label_set(labels | series.labels)}}} " for series in _SERIES
        ]
        self._info = f"{INFO.name}{{{label_set(labels | _info_labels(watched))}}} 1.0\n"
        self._histogram = "".join(_histogram_form(labels))

    def current(self) -> bool:
        """Tell whether the kept labels still hold."""
        return self._identity == _identity(self._watched)

    def write(self, showable: Showable, *, histogram: bool) -> tuple[bytes, ...]:
        """Return this listener's lines of each family, in the order of FAMILIES."""
        state = (self._watched.changes, showable)
        if state != self._written:
            self._lines = tuple(self._scalars(showable))
            # What moves by time alone has to be looked at again.
            self._written = state if self._watched.settled() else None
        observed = self._watched.accept.histogram() if histogram and showable.kinds["accept"] else None
        if observed is None:
            return (*self._lines, b"")
        counts, total = observed
        written = self._histogram % tuple(map(number, (*counts, counts[-1], total)))
        return (*self._lines, written.encode())

    def _scalars(self, showable: Showable) -> Iterator[bytes]:
        lines = dict.fromkeys(FAMILIES[:-1], "")
        for series, prefix in zip(_SERIES, self._prefixes, strict=True):
            value = series.read(self._watched) if showable.kinds.get(series.source) else None
            if value is not None:
                lines[series.metric] += f"{prefix}{number(value)}\n"
        if showable.kinds["accept"]:
            lines[INFO] = self._info
        return map(str.encode, lines.values())


def _identity(watched: WatchedListener) -> tuple[object, ...]:
    return watched.owner, watched.verdict, watched.mptcp


def _info_labels(watched: WatchedListener) -> dict[str, str]:
    owner = watched.owner or NOBODY
    return {
        "rule": watched.verdict.rule if watched.verdict else "",
        **{name: getattr(owner, name) for name in OWNER_INFO_LABELS},
        "mptcp": "true" if watched.mptcp else "false",
    }


def _histogram_form(labels: dict[str, str]) -> Iterator[str]:
    """Write the lines of a histogram with a place for each value."""
    for bound in _BOUNDS:
        yield _place(f"{HISTOGRAM.name}_bucket{{{label_set(labels | {'le': bound})}}}")
    for part in ("count", "sum"):
        yield _place(f"{HISTOGRAM.name}_{part}{{{label_set(labels)}}}")


def _place(name: str) -> str:
    return f"{name.replace('%', '%%')} %s\n"
