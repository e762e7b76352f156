"""The whole page, from the newest samples."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable, Iterator

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric as Family

from exporter.metrics.catalogue import INFO, Metric
from exporter.metrics.exporter_families import Moment, Reload, exporter_families
from exporter.metrics.exposition import EOF, families_text, header
from exporter.metrics.listener_lines import FAMILIES, ListenerLines
from exporter.metrics.namespace_families import namespace_families
from exporter.sampling.listener import WatchedListener
from exporter.sampling.sampler import Sampler


class Page:
    """Writes the page on demand. It never asks the kernel about sockets."""

    def __init__(self, sampler: Sampler, reload: Callable[[], Reload]) -> None:
        """Take where the figures are; `reload` says how the last reading of the configuration went."""
        self._sampler = sampler
        self._reload = reload
        self._process = ProcessCollector(registry=None)
        self._kept: dict[WatchedListener, ListenerLines] = {}
        self._labels: tuple[str, ...] = ()

    def write(self, *, openmetrics: bool) -> bytes:
        """Write the page in text format 0.0.4 or in OpenMetrics 1.0."""
        sampler = self._sampler
        now = time.monotonic()
        with sampler.lock:
            listeners = sampler.shown(now)
            chosen = _choose(listeners, sampler.config.max_listeners)
            lines = self._listener_lines(chosen, now)
            omitted = len(listeners) - len(chosen)
            moment = Moment(sampler, self._reload(), now, len(lines[INFO]), omitted)
            families = list(self._families(moment))
        parts = [
            (
                header(metric.name, metric.kind, metric.help, openmetrics=openmetrics)
                + "".join(lines[metric])
            ).encode()
            for metric in FAMILIES
        ]
        parts.append(families_text(families, openmetrics=openmetrics))
        return b"".join(parts) + (EOF if openmetrics else b"")

    def _families(self, moment: Moment) -> Iterator[Family]:
        yield from namespace_families(self._sampler.namespaces, moment.now)
        yield from exporter_families(moment)
        yield from self._process.collect()

    def _listener_lines(self, chosen: list[WatchedListener], now: float) -> dict[Metric, list[str]]:
        self._refresh(chosen)
        page: dict[Metric, list[str]] = {metric: [] for metric in FAMILIES}
        histogram = self._sampler.config.sampling.histogram
        healthy = {known.namespace.name: known.showable(now) for known in self._sampler.namespaces}
        for watched, lines in self._kept.items():
            key = watched.group.key
            lines.write(page, healthy[key.netns][key.protocol], histogram=histogram)
        return page

    def _refresh(self, chosen: list[WatchedListener]) -> None:
        """Keep the labels of those who stay, and write those of who is new or has changed."""
        labels = self._sampler.config.labels
        before = self._kept if labels == self._labels else {}
        self._labels = labels
        self._kept = {}
        for watched in chosen:
            lines = before.get(watched)
            self._kept[watched] = lines if lines and lines.current() else ListenerLines(watched, labels)


def _choose(listeners: list[WatchedListener], most: int) -> list[WatchedListener]:
    """Choose whom to show where there are too many: the fullest, and of equals the oldest."""
    if len(listeners) <= most:
        return listeners
    return heapq.nlargest(
        most, listeners, key=lambda watched: (watched.accept.peak_ratio() or 0.0, -watched.since)
    )
