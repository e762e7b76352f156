"""The lines of one listener: labels are written once, values again only when something happened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

from exporter.config.model import Export, Severity
from exporter.metrics.catalogue import LISTENER_METRICS
from exporter.metrics.exposition import label_set, number, whole_number
from exporter.metrics.listener_histograms import HISTOGRAMS, Observed
from exporter.metrics.listener_metrics import (
    GAUGES_AND_COUNTERS,
    INFO,
    QUEUES,
    THRESHOLDS,
    QueueOf,
    ThresholdOf,
    info_label_sets,
)
from exporter.metrics.metric import Labels, Metric
from exporter.owners.owner import OWNER_FACTS, UNKNOWN_OWNER
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace_sampler import ACCEPT

_INFO_FAMILY: Final = LISTENER_METRICS.index(INFO)
_FIRST_HISTOGRAM: Final = LISTENER_METRICS.index(HISTOGRAMS[0])


@dataclass(frozen=True, slots=True)
class _Series:
    """One series of every listener: the labels beside those of the listener, and how its value is read.

    `family` is the place of its metric in LISTENER_METRICS, `full` tells whether only `export: full` has it.
    """

    name: str
    family: int
    labels: Labels
    source: str
    read: Callable[[ListenerState], float | None]
    full: bool


def _series(
    metric: Metric[Any, float], labels: Labels, source: str, read: Callable[[ListenerState], float | None]
) -> _Series:
    return _Series(metric.sample_name, LISTENER_METRICS.index(metric), labels, source, read, metric.full)


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
_LEAN_SERIES: Final = tuple(series for series in _SERIES if not series.full)


class HistogramNumbers:
    """The numbers of histograms on one page, as text.

    All listeners that were always idle have the same ones, and they are written once.
    """

    def __init__(self) -> None:
        self._written: dict[Observed, tuple[bytes, ...]] = {}

    def of(self, state: Observed) -> tuple[bytes, ...]:
        """Return those of the buckets, the count and the sum."""
        written = self._written.get(state)
        if written is None:
            counts, total = state.histogram()
            buckets = list(map(whole_number, counts))
            written = self._written[state] = (*buckets, buckets[-1], number(total).encode())
        return written


class ListenerLines:
    """Writes the series of one listener."""

    def __init__(self, state: ListenerState, labels: tuple[str, ...]) -> None:
        """Write the labels; `labels` names the facts about the owner that are on every series."""
        self._state = state
        # What the labels are made from.
        self._made_from = _label_sources(state)
        # From which revision and sources the kept lines were written; None where time alone changes them.
        self._written: tuple[int, AbstractSet[str]] | None = None
        self._lines: tuple[bytes, ...] = ()
        owner = state.owner or UNKNOWN_OWNER
        full = state.rule_match is not None and state.rule_match.export is Export.FULL
        self._series = _SERIES if full else _LEAN_SERIES
        common = dict(state.key()._asdict()) | {
            fact.name: fact.of(owner) for fact in OWNER_FACTS if fact.name in labels
        }
        self._prefixes = [f"{series.name}{{{label_set(common | series.labels)}}} " for series in self._series]
        self._info = "".join(
            f"{INFO.name}{{{label_set(common | labels)}}} 1.0\n" for labels in info_label_sets(state)
        )
        self._histograms = [list(_histogram_parts(metric, common)) for metric in HISTOGRAMS if full]

    def current(self) -> bool:
        """Tell whether the labels are still right; where they are not, new lines have to be made."""
        made_from = zip(_label_sources(self._state), self._made_from, strict=True)
        return all(present is before for present, before in made_from)

    def write(self, sources: AbstractSet[str]) -> tuple[bytes, ...]:
        """Return the lines of each family but the histograms, in the order of LISTENER_METRICS.

        `sources` are those that are healthy; without `accept` there are no lines.
        """
        written = self._written
        if written is None or written[0] != self._state.revision or written[1] != sources:
            self._lines = tuple(self._scalars(sources))
            invariant = self._state.time_invariant()
            self._written = (self._state.revision, sources) if invariant else None
        return self._lines

    def add_histograms(
        self, sources: AbstractSet[str], numbers: HistogramNumbers, parts: Sequence[list[bytes]]
    ) -> None:
        """Add the lines of each histogram, which may change with every sample, to its parts of a page.

        To format them would copy them once more, and they are half of a page that has them.
        """
        for metric, lines, added in zip(HISTOGRAMS, self._histograms, parts, strict=False):
            if ACCEPT not in sources or metric.source not in sources:
                continue
            observed = metric.read(self._state)
            if observed is not None:
                lines[1::2] = numbers.of(observed)
                added.extend(lines)

    def _scalars(self, sources: AbstractSet[str]) -> Iterator[bytes]:
        lines = [""] * _FIRST_HISTOGRAM
        for series, prefix in zip(self._series, self._prefixes, strict=True):
            value = series.read(self._state) if series.source in sources else None
            if value is not None:
                lines[series.family] += f"{prefix}{number(value)}\n"
        if ACCEPT in sources:
            lines[_INFO_FAMILY] = self._info
        return map(str.encode, lines)


def _label_sources(state: ListenerState) -> tuple[object, ...]:
    """Return what the labels of a listener are made from, each of which is replaced as a whole."""
    return state.owners, state.rule_match, state.mptcp, state.stale_path, state.address


def _histogram_parts(metric: Metric[Any, Any], labels: Labels) -> Iterator[bytes]:
    """Write the lines of a histogram in parts, every second of which is a number and still missing."""
    bounds = (*map(number, metric.buckets), "+Inf")
    names = [f"{metric.name}_bucket{{{label_set(labels | {'le': bound})}}}" for bound in bounds]
    names += [f"{metric.name}_{part}{{{label_set(labels)}}}" for part in ("count", "sum")]
    yield f"{names[0]} ".encode()
    for name in names[1:]:
        yield b""
        yield f"\n{name} ".encode()
    yield b""
    yield b"\n"
