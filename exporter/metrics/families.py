"""The lines of metric families of namespaces and of the exporter: many, where there are many namespaces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from exporter.metrics.catalogue import OTHER_METRICS
from exporter.metrics.context import ScrapeContext
from exporter.metrics.exposition import header, label_set, number
from exporter.metrics.metric import Labels, Metric, Subject
from exporter.metrics.namespace_metrics import NAMESPACE
from exporter.sampling.namespace_sampler import NamespaceSampler

LabelTexts = Mapping[tuple[tuple[str, str], ...], str]


class FamilyLines:
    """Writes the families of one page; with `one_shot` without what needs a history.

    `texts` has the text of each set of labels that was written, for the next page.
    """

    def __init__(self, context: ScrapeContext, texts: LabelTexts, *, one_shot: bool) -> None:
        """Take the texts of the page before, so that only what is new on this one is escaped."""
        self.texts: dict[tuple[tuple[str, str], ...], str] = {}
        self._before = texts
        self._context = context
        self._one_shot = one_shot
        self._items: dict[Subject[Any], list[tuple[str, Any]]] = {}
        self._healthy: dict[tuple[NamespaceSampler, str], bool] = {}

    def write(self, *, openmetrics: bool) -> Iterator[bytes]:
        """Yield each family as prometheus_client writes it."""
        for metric in OTHER_METRICS:
            if self._one_shot and metric.needs_history:
                continue
            yield header(metric.name, metric.type, metric.help, openmetrics=openmetrics)
            yield "".join(self._lines(metric)).encode()

    def _lines(self, metric: Metric[Any, Any]) -> list[str]:
        name, read = metric.sample_name, metric.read
        items = self._items_of(metric.subject)
        if metric.subject is NAMESPACE and metric.source is not None:
            items = [each for each in items if self._is_healthy(each[1], metric.source)]
        values = [(labels, read(item)) for labels, item in items]
        return [f"{name}{labels} {number(value)}\n" for labels, value in values if value is not None]

    def _items_of(self, subject: Subject[Any]) -> list[tuple[str, Any]]:
        """Return what the series of a subject are read from, with their labels as text."""
        items = self._items.get(subject)
        if items is None:
            found = subject.items(self._context) if subject.items is not None else ()
            items = self._items[subject] = [(self._in_braces(labels), item) for labels, item in found]
        return items

    def _in_braces(self, labels: Labels) -> str:
        if not labels:
            return ""
        key = tuple(labels.items())
        text = self._before.get(key)
        self.texts[key] = text = f"{{{label_set(labels)}}}" if text is None else text
        return text

    def _is_healthy(self, namespace: NamespaceSampler, source: str) -> bool:
        healthy = self._healthy.get((namespace, source))
        if healthy is None:
            healthy = self._healthy[namespace, source] = namespace.healthy(source, self._context.now)
        return healthy
