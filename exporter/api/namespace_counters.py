"""The counters of network namespaces, for the document of listeners."""

from __future__ import annotations

from typing import Any, Final

from exporter.metrics.namespace_metrics import NAMESPACE_METRICS
from exporter.sampling.namespace_sampler import NamespaceSampler

_PREFIX: Final = "listen_queue_netns_"
_METRICS: Final = {
    metric.sample_name.removeprefix(_PREFIX): metric
    for metric in NAMESPACE_METRICS
    if metric.type == "counter"
}


def counters(namespace: NamespaceSampler, now: float) -> dict[str, Any]:
    """Return the counters by the names of their metrics; one whose source failed is null.

    `now` is in monotonic seconds. The caller holds the lock.
    """
    return {"netns": namespace.name} | {
        name: metric.read(namespace)
        if metric.source is None or namespace.healthy(metric.source, now)
        else None
        for name, metric in _METRICS.items()
    }
