"""The families of namespaces and of the exporter, as prometheus_client writes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from prometheus_client.metrics_core import Metric as Family

from exporter.metrics.catalogue import OTHER_METRICS
from exporter.metrics.context import ScrapeContext
from exporter.metrics.metric import Labels, Subject
from exporter.metrics.namespace_metrics import NAMESPACE


def families(context: ScrapeContext, *, one_shot: bool) -> Iterator[Family]:
    """Make the families of one page; for `one_shot` those that a program can tell which has just started."""
    items: dict[Subject[Any], list[tuple[Labels, Any]]] = {}
    for metric in OTHER_METRICS:
        if one_shot and metric.needs_history:
            continue
        family = Family(metric.name, metric.help, metric.type)
        subject = metric.subject
        if subject.items is not None and subject not in items:
            items[subject] = list(subject.items(context))
        for labels, item in items.get(subject, ()):
            if subject is NAMESPACE and metric.source and not item.healthy(metric.source, context.now):
                continue
            value = metric.read(item)
            if value is not None:
                family.add_sample(metric.sample_name, labels, value)
        yield family
