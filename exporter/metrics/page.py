"""The metrics page, made from the newest samples."""

from __future__ import annotations

import heapq
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from exporter.metrics.catalogue import LISTENER_METRICS
from exporter.metrics.context import BuildInfo, Reload, ScrapeContext
from exporter.metrics.exposition import EOF, families_text, header
from exporter.metrics.families import families
from exporter.metrics.listener_lines import ListenerLines
from exporter.sampling.clock import Clock
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace_sampler import ACCEPT
from exporter.sampling.sampler import Sampler


@dataclass(frozen=True, slots=True)
class _Listeners:
    """The lines of the listeners on one page, by family, and how many listeners they are of."""

    columns: Sequence[Sequence[bytes]]
    count: int


class Page:
    """Writes the page on demand. It never asks the kernel about sockets."""

    def __init__(
        self,
        sampler: Sampler,
        reload: Callable[[], Reload],
        build: BuildInfo,
        clock: Clock,
        process: Collector | None,
    ) -> None:
        """Take what the figures are read from; `reload` tells how the last reading of the configuration went.

        `process` collects the figures of this process. Without it the page is that of a program which ends
        with it, and what needs history is left out, since 0 would be wrong.
        """
        self._sampler = sampler
        self._reload = reload
        self._build = build
        self._clock = clock
        self._process = process
        # Several at once would compete for the interpreter, and keep the sampler waiting for it.
        self._writing = threading.Lock()
        self._lines: dict[ListenerState, ListenerLines] = {}
        self._labels: tuple[str, ...] = ()

    def write(self, *, openmetrics: bool) -> bytes:
        """Write the page in text format 0.0.4 or in OpenMetrics 1.0."""
        with self._writing:
            return self._write(openmetrics=openmetrics)

    def _write(self, *, openmetrics: bool) -> bytes:
        sampler = self._sampler
        now = self._clock.monotonic()
        with sampler.lock:
            published = sampler.published(now)
            chosen = _choose(published, sampler.config.max_listeners)
            listeners = self._write_listeners(chosen, now)
            omitted = len(published) - len(chosen)
            context = ScrapeContext(sampler, self._reload(), self._build, now, listeners.count, omitted)
            others = list(self._families(context))
        parts: list[bytes] = []
        for metric, column in zip(LISTENER_METRICS, listeners.columns, strict=True):
            if self._process is None and metric.needs_history:
                continue
            parts.append(header(metric.name, metric.type, metric.help, openmetrics=openmetrics))
            parts.extend(column)
        parts.append(families_text(others, openmetrics=openmetrics))
        parts.append(EOF if openmetrics else b"")
        return b"".join(parts)

    def _families(self, context: ScrapeContext) -> Iterator[Family]:
        yield from families(context, one_shot=self._process is None)
        if self._process is not None:
            yield from self._process.collect()

    def _write_listeners(self, chosen: Sequence[ListenerState], now: float) -> _Listeners:
        self._refresh(chosen)
        histogram = self._sampler.config.sampling.histogram
        healthy = {
            (namespace.name, protocol): sources
            for namespace in self._sampler.namespaces
            for protocol, sources in namespace.healthy_sources(now).items()
        }
        count = 0
        rows: list[tuple[bytes, ...]] = []
        for state, lines in self._lines.items():
            sources = healthy[state.group.key.netns, state.group.key.protocol]
            count += ACCEPT in sources
            rows.append(lines.write(sources, histogram=histogram))
        return _Listeners(list(zip(*rows, strict=True)) if rows else [()] * len(LISTENER_METRICS), count)

    def _refresh(self, chosen: Sequence[ListenerState]) -> None:
        """Keep the lines of listeners whose labels are still right, and make those of the others."""
        labels = self._sampler.config.labels
        before = self._lines if labels == self._labels else {}
        self._labels = labels
        self._lines = {}
        for state in chosen:
            lines = before.get(state)
            self._lines[state] = lines if lines and lines.current() else ListenerLines(state, labels)


def _choose(listeners: list[ListenerState], limit: int) -> list[ListenerState]:
    """Choose at most `limit`: the fullest, and of equals the oldest."""
    if len(listeners) <= limit:
        return listeners
    return heapq.nlargest(
        limit, listeners, key=lambda state: (state.accept.peak_ratio() or 0.0, -state.since)
    )
