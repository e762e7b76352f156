"""The metrics page, made from the newest samples."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from prometheus_client.registry import Collector

from exporter.metrics.catalogue import LISTENER_METRICS
from exporter.metrics.context import BuildInfo, LogLines, Reload, ScrapeContext
from exporter.metrics.exposition import EOF, families_text, header
from exporter.metrics.fair_share import select
from exporter.metrics.families import FamilyLines, LabelTexts
from exporter.metrics.listener_histograms import HISTOGRAMS
from exporter.metrics.listener_lines import HistogramNumbers, ListenerLines
from exporter.sampling.clock import Clock
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace_sampler import ACCEPT
from exporter.sampling.sampler import Sampler


@dataclass(frozen=True, slots=True)
class _Listeners:
    """The lines of the listeners on one page, by family and in parts, and how many listeners they are of."""

    columns: Sequence[Sequence[bytes]]
    count: int


class Page:
    """Writes the page on demand. It never asks the kernel about sockets."""

    def __init__(  # noqa: PLR0913 # each is what some figures are read from
        self,
        sampler: Sampler,
        reload: Callable[[], Reload],
        build: BuildInfo,
        clock: Clock,
        process: Collector | None,
        *,
        log_lines: Callable[[], LogLines] = LogLines,
    ) -> None:
        """Take what the figures are read from; `reload` tells how the last reading of the configuration went.

        `log_lines` tells how many lines the log lacks.
        `process` collects the figures of this process. Without it the page is that of a program which ends
        with it, and what needs history is left out, since 0 would be wrong.
        """
        self._sampler = sampler
        self._reload = reload
        self._build = build
        self._clock = clock
        self._process = process
        self._log_lines = log_lines
        # Several at once would compete for the interpreter, and keep the sampler waiting for it.
        self._writing = threading.Lock()
        self._lines: dict[ListenerState, ListenerLines] = {}
        self._texts: LabelTexts = {}
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
            own, *_ = sampler.namespaces
            selection = select(published, sampler.config.max_listeners, own.name)
            listeners = self._write_listeners(selection.chosen, now)
            omitted, log_lines = selection.omitted, self._log_lines()
            context = ScrapeContext(
                sampler, self._reload(), self._build, now, listeners.count, omitted, log_lines
            )
            others = list(self._write_others(context, openmetrics=openmetrics))
        parts: list[bytes] = []
        for metric, column in zip(LISTENER_METRICS, listeners.columns, strict=True):
            if self._process is None and metric.needs_history:
                continue
            parts.append(header(metric.name, metric.type, metric.help, openmetrics=openmetrics))
            parts.extend(column)
        parts.extend(others)
        parts.append(EOF if openmetrics else b"")
        return b"".join(parts)

    def _write_others(self, context: ScrapeContext, *, openmetrics: bool) -> Iterator[bytes]:
        lines = FamilyLines(context, self._texts, one_shot=self._process is None)
        yield from lines.write(openmetrics=openmetrics)
        self._texts = lines.texts
        if self._process is not None:
            yield families_text(self._process.collect(), openmetrics=openmetrics)

    def _write_listeners(self, chosen: Sequence[ListenerState], now: float) -> _Listeners:
        self._refresh(chosen)
        healthy = {
            (namespace.name, protocol): sources
            for namespace in self._sampler.namespaces
            for protocol, sources in namespace.healthy_sources(now).items()
        }
        count = 0
        rows: list[tuple[bytes, ...]] = []
        numbers = HistogramNumbers()
        histograms: list[list[bytes]] = [[] for _ in HISTOGRAMS]
        for state, lines in self._lines.items():
            sources = healthy[state.group.key.netns, state.group.key.protocol]
            count += ACCEPT in sources
            rows.append(lines.write(sources))
            lines.add_histograms(sources, numbers, histograms)
        columns = list(zip(*rows, strict=True)) if rows else [()] * (len(LISTENER_METRICS) - len(HISTOGRAMS))
        return _Listeners([*columns, *histograms], count)

    def _refresh(self, chosen: Sequence[ListenerState]) -> None:
        """Keep the lines of listeners whose labels are still right, and make those of the others."""
        labels = self._sampler.config.labels
        before = self._lines if labels == self._labels else {}
        self._labels = labels
        self._lines = {}
        for state in chosen:
            lines = before.get(state)
            self._lines[state] = lines if lines and lines.current() else ListenerLines(state, labels)
