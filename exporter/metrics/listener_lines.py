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
from exporter.owners.owner import UNKNOWN_OWNER
from exporter.sampling.history.accept import BUCKETS
from exporter.sampling.history.queue import QueueHistory
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace import PublishableSources

FAMILIES: Final[tuple[Metric, ...]] = (*LISTENER_METRICS, *THRESHOLD_METRICS, INFO, HISTOGRAM)
_BOUNDS: Final = (*(number(bound) for bound in BUCKETS), "+Inf")


@dataclass(frozen=True, slots=True)
class _Series:
    """One series of every listener: its name, the labels beside those of the listener, and how it is read."""

    metric: Metric
    labels: dict[str, str]
    source: str
    read: Callable[[ListenerState], float | None]


def _threshold_reader(
    metric: ThresholdMetric, queue: Callable[[ListenerState], QueueHistory | None], severity: Severity
) -> Callable[[ListenerState], float | None]:
    def read(state: ListenerState) -> float | None:
        history = queue(state)
        if history is None or not history.threshold_states[severity].known:
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

    def __init__(self, state: ListenerState, owner_labels: tuple[str, ...]) -> None:
        """Write the labels. Make a new one when the owner or the rule changes."""
        self._watched = state
        self._identity = _identity(state)
        self._written: tuple[object, ...] | None = None
        self._lines: tuple[bytes, ...] = ()
        owner = state.owner or UNKNOWN_OWNER
        labels = dict(state.group.key._asdict()) | {name: getattr(owner, name) for name in owner_labels}
        self._prefixes = [
            f"{series.metric.sample_name}{{{label_set(labels | series.labels)}}} " for series in _SERIES
        ]
        self._info = f"{INFO.name}{{{label_set(labels | _info_labels(state))}}} 1.0\n"
        self._histogram = "".join(_histogram_form(labels))

    def current(self) -> bool:
        """Tell whether the kept labels still hold."""
        return self._identity == _identity(self._watched)

    def write(self, publishable: PublishableSources, *, histogram: bool) -> tuple[bytes, ...]:
        """Return this listener's lines of each family, in the order of FAMILIES."""
        state = (self._watched.changes, publishable)
        if state != self._written:
            self._lines = tuple(self._scalars(publishable))
            # What moves by time alone has to be looked at again.
            self._written = state if self._watched.settled() else None
        observed = self._watched.accept.histogram() if histogram and publishable.kinds["accept"] else None
        if observed is None:
            return (*self._lines, b"")
        counts, total = observed
        written = self._histogram % tuple(map(number, (*counts, counts[-1], total)))
        return (*self._lines, written.encode())

    def _scalars(self, publishable: PublishableSources) -> Iterator[bytes]:
        lines = dict.fromkeys(FAMILIES[:-1], "")
        for series, prefix in zip(_SERIES, self._prefixes, strict=True):
            value = series.read(self._watched) if publishable.kinds.get(series.source) else None
            if value is not None:
                lines[series.metric] += f"{prefix}{number(value)}\n"
        if publishable.kinds["accept"]:
            lines[INFO] = self._info
        return map(str.encode, lines.values())


def _identity(state: ListenerState) -> tuple[object, ...]:
    return state.owner, state.rule_match, state.mptcp


def _info_labels(state: ListenerState) -> dict[str, str]:
    owner = state.owner or UNKNOWN_OWNER
    return {
        "rule": state.rule_match.rule if state.rule_match else "",
        **{name: getattr(owner, name) for name in OWNER_INFO_LABELS},
        "mptcp": "true" if state.mptcp else "false",
    }


def _histogram_form(labels: dict[str, str]) -> Iterator[str]:
    """Write the lines of a histogram with a place for each value."""
    for bound in _BOUNDS:
        yield _place(f"{HISTOGRAM.name}_bucket{{{label_set(labels | {'le': bound})}}}")
    for part in ("count", "sum"):
        yield _place(f"{HISTOGRAM.name}_{part}{{{label_set(labels)}}}")


def _place(name: str) -> str:
    return f"{name.replace('%', '%%')} %s\n"
