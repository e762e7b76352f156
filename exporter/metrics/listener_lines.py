"""The lines of one listener, whose labels are written once and kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from exporter.config.model import Severity
from exporter.listeners.owners import NOBODY
from exporter.metrics.catalogue import HISTOGRAM, INFO, LISTENER_METRICS, QUEUES, THRESHOLD_METRICS, Metric
from exporter.metrics.exposition import label_set, number
from exporter.sampling.accept import BUCKETS
from exporter.sampling.listener import WatchedListener

FAMILIES: Final[tuple[Metric, ...]] = (*LISTENER_METRICS, HISTOGRAM, *THRESHOLD_METRICS, INFO)
_BOUNDS: Final = (*(number(bound) for bound in BUCKETS), "+Inf")


class ListenerLines:
    """Writes the series of one listener."""

    def __init__(self, watched: WatchedListener, owner_labels: tuple[str, ...]) -> None:
        """Write the labels once. Make a new one when the owner or the rule changes."""
        self.watched = watched
        self.owner = watched.owner
        self.verdict = watched.verdict
        self.mptcp = watched.mptcp
        owner = watched.owner or NOBODY
        labels = dict(watched.group.key._asdict()) | {name: getattr(owner, name, "") for name in owner_labels}
        self._scalars = [
            (metric, f"{metric.sample_name}{{{label_set(labels)}}} ") for metric in LISTENER_METRICS
        ]
        self._buckets = [
            f"{HISTOGRAM.name}_bucket{{{label_set(labels | {'le': bound})}}} " for bound in _BOUNDS
        ]
        self._count, self._sum = (
            f"{HISTOGRAM.name}_{part}{{{label_set(labels)}}} " for part in ("count", "sum")
        )
        self._thresholds = [
            (metric, queue, source, severity, read, f"{metric.sample_name}{{{label_set(extra)}}} ")
            for metric in THRESHOLD_METRICS
            for queue, source, read in QUEUES
            for severity in Severity
            for extra in [labels | {"queue": queue, "severity": severity}]
        ]
        self._info = f"{INFO.name}{{{label_set(labels | self._info_labels())}}} 1.0\n"

    def current(self) -> bool:
        """Tell whether the kept labels still hold."""
        watched = self.watched
        return (self.owner, self.verdict, self.mptcp) == (watched.owner, watched.verdict, watched.mptcp)

    def write(self, page: dict[Metric, list[str]], healthy: Mapping[str, bool], *, histogram: bool) -> None:
        """Add this listener's lines to the families of a page.

        `healthy` tells which kinds of figure may be shown: accept, syn_recv, oldest_wait.
        """
        watched = self.watched
        for metric, prefix in self._scalars:
            value = metric.read(watched) if healthy.get(metric.source) else None
            if value is not None:
                page[metric].append(f"{prefix}{number(value)}\n")
        for threshold, _, source, severity, read, prefix in self._thresholds:
            history = read(watched)
            if history is not None and healthy.get(source) and history.crossings[severity].known:
                page[threshold].append(f"{prefix}{number(threshold.read(history, severity))}\n")
        if healthy["accept"]:
            page[INFO].append(self._info)
            if histogram:
                page[HISTOGRAM].extend(self._histogram())

    def _histogram(self) -> Iterator[str]:
        observed = self.watched.accept.histogram()
        if observed is not None:
            counts, total = observed
            for prefix, count in zip(self._buckets, counts, strict=True):
                yield f"{prefix}{number(count)}\n"
            yield f"{self._count}{number(counts[-1])}\n"
            yield f"{self._sum}{number(total)}\n"

    def _info_labels(self) -> dict[str, str]:
        return {
            "rule": self.verdict.rule if self.verdict else "",
            "user": (self.owner or NOBODY).user,
            "mptcp": "true" if self.mptcp else "false",
        }
