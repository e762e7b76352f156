"""The whole page, from the newest samples."""

from __future__ import annotations

import heapq
import threading
import time
from collections.abc import Callable, Iterator

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import Metric as Family

from exporter.metrics.catalogue import INFO
from exporter.metrics.context import Reload, ScrapeContext
from exporter.metrics.exporter_families import exporter_families
from exporter.metrics.exposition import EOF, families_text, header
from exporter.metrics.listener_lines import FAMILIES, ListenerLines
from exporter.metrics.namespace_families import namespace_families
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.sampler import Sampler

_INFO = FAMILIES.index(INFO)


class Page:
    """Writes the page on demand. It never asks the kernel about sockets."""

    def __init__(self, sampler: Sampler, reload: Callable[[], Reload], *, one_shot: bool = False) -> None:
        """Take where the figures are; `reload` says how the last reading of the configuration went.

        Where the sampler looks only once, what takes time is left out: 0 would be wrong.
        """
        self._sampler = sampler
        self._reload = reload
        self._one_shot = one_shot
        self._process = ProcessCollector(registry=None)
        # Several at once would only fight for the interpreter, and keep the sampler waiting for it.
        self._writing = threading.Lock()
        self._kept: dict[ListenerState, ListenerLines] = {}
        self._labels: tuple[str, ...] = ()

    def write(self, *, openmetrics: bool) -> bytes:
        """Write the page in text format 0.0.4 or in OpenMetrics 1.0."""
        with self._writing:
            return self._write(openmetrics=openmetrics)

    def _write(self, *, openmetrics: bool) -> bytes:
        sampler = self._sampler
        now = time.monotonic()
        with sampler.lock:
            listeners = sampler.shown(now)
            chosen = _choose(listeners, sampler.config.max_listeners)
            lines = self._listener_lines(chosen, now)
            shown = sum(bool(listener[_INFO]) for listener in lines)
            context = ScrapeContext(sampler, self._reload(), now, shown, len(listeners) - len(chosen))
            families = list(self._families(context))
        columns = zip(*lines, strict=True) if lines else ((),) * len(FAMILIES)
        parts: list[bytes] = []
        for metric, column in zip(FAMILIES, columns, strict=True):
            if self._one_shot and metric.needs_history:
                continue
            parts.append(header(metric.name, metric.kind, metric.help, openmetrics=openmetrics))
            parts.extend(column)
        parts.append(families_text(families, openmetrics=openmetrics))
        parts.append(EOF if openmetrics else b"")
        return b"".join(parts)

    def _families(self, context: ScrapeContext) -> Iterator[Family]:
        yield from namespace_families(self._sampler.namespaces, context.now)
        yield from exporter_families(context, one_shot=self._one_shot)
        # Of a process that ends with the page nobody wants to know, and node_exporter has names like these.
        if not self._one_shot:
            yield from self._process.collect()

    def _listener_lines(self, chosen: list[ListenerState], now: float) -> list[tuple[bytes, ...]]:
        """Return for each listener its lines of each family."""
        self._refresh(chosen)
        histogram = self._sampler.config.sampling.histogram
        publishable = {
            (known.namespace.name, protocol): shown
            for known in self._sampler.namespaces
            for protocol, shown in known.publishable(now).items()
        }
        return [
            lines.write(publishable[state.group.key[:2]], histogram=histogram)
            for state, lines in self._kept.items()
        ]

    def _refresh(self, chosen: list[ListenerState]) -> None:
        """Keep the labels of those who stay, and write those of who is new or has changed."""
        labels = self._sampler.config.labels
        before = self._kept if labels == self._labels else {}
        self._labels = labels
        self._kept = {}
        for state in chosen:
            lines = before.get(state)
            self._kept[state] = lines if lines and lines.current() else ListenerLines(state, labels)


def _choose(listeners: list[ListenerState], most: int) -> list[ListenerState]:
    """Choose whom to show where there are too many: the fullest, and of equals the oldest."""
    if len(listeners) <= most:
        return listeners
    return heapq.nlargest(most, listeners, key=lambda state: (state.accept.peak_ratio() or 0.0, -state.since))
