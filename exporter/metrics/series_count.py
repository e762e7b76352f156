"""How many series a listener, a namespace and the exporter have, by the declarations of the metrics."""

from __future__ import annotations

from typing import Any, Final

from prometheus_client import ProcessCollector

from exporter.config.model import Config, Export, Severity
from exporter.metrics.catalogue import LISTENER_METRICS, OTHER_METRICS
from exporter.metrics.listener_metrics import QUEUES, THRESHOLDS
from exporter.metrics.metric import Metric
from exporter.sampling.namespace_sampler import NAMESPACE_SOURCES
from exporter.sampling.sources.namespaces import NamespaceDiscovery
from exporter.sampling.sources.owners import Owners

# The bucket +Inf, the count and the sum.
_BESIDE_BUCKETS: Final = 3
_EXPORTER_SOURCES: Final = (NamespaceDiscovery.NAME, Owners.NAME)
_SERIES_BY_LABELS: Final = {
    # The exporter, the supervisor and the broker.
    ("process",): 3,
    # Three kinds of the exporter; two of supervisor, broker and file broker.
    ("process", "kind"): 9,
    # Lines that the log lacks: not written, and repeated.
    ("reason",): 2,
}


def series_count(export: Export, *, syn_queue: bool) -> int:
    """Return how many series a listener with or without a SYN queue has.

    That is the most: what the kernel does not tell has no series.
    """
    return sum(
        _count(metric, syn_queue=syn_queue)
        for metric in LISTENER_METRICS
        if export is Export.FULL or (export is Export.LEAN and not metric.full)
    )


def namespace_series_count() -> int:
    """Return how many series a network namespace has besides those of its listeners."""
    return sum(map(_count_of_namespace, OTHER_METRICS))


def exporter_series_count(config: Config) -> int:
    """Return how many series the exporter has besides those of namespaces, while no sample fails.

    That is the most: without the capabilities to enter namespaces it has fewer processes.
    """
    levels = len(config.defaults.thresholds.levels) * (1 + len(config.rules))
    process = sum(len(family.samples) for family in ProcessCollector(registry=None).collect())
    return sum(map(_count_of_exporter, OTHER_METRICS)) + levels + process


def _count_of_namespace(metric: Metric[Any, Any]) -> int:
    labels = metric.subject.labels
    if "netns" not in labels:
        return 0
    return len(NAMESPACE_SOURCES) if "source" in labels else 1


def _count_of_exporter(metric: Metric[Any, Any]) -> int:
    """Return the series of one metric; levels are counted by the rules that have them."""
    match metric.subject.labels:
        case ("rule", *_) | ("source", "reason") | ("netns",):
            return 0
        case ("source", "netns", *_):
            return len(_EXPORTER_SOURCES)
        case ("source",):
            return len((*NAMESPACE_SOURCES, *_EXPORTER_SOURCES))
        case ("process", *_) | ("reason",) as labels:
            return _SERIES_BY_LABELS[labels]
        case _:
            return 1


def _count(metric: Metric[Any, Any], *, syn_queue: bool) -> int:
    if metric in THRESHOLDS:
        return len(Severity) * (len(QUEUES) if syn_queue else 1)
    if metric.subject.tcp_only and not syn_queue:
        return 0
    return len(metric.buckets) + _BESIDE_BUCKETS if metric.type == "histogram" else 1
