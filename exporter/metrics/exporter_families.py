"""The metrics of the exporter itself: whether it sees, how often it looks, what it was told."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator
from typing import Final

from prometheus_client.metrics_core import Metric as Family

from exporter import __version__
from exporter.config.model import DEFAULTS, Config, Unit
from exporter.metrics.catalogue import Metric
from exporter.metrics.context import Read, Sample, ScrapeContext, exporter, one
from exporter.metrics.source_families import SOURCE_METRICS

# Which commit this is: whoever builds an image sets it, since an installed package cannot know.
_REVISION: Final = os.environ.get("LISTEN_QUEUE_EXPORTER_REVISION", "")


def _forged(context: ScrapeContext) -> Iterator[Sample]:
    for namespace in context.sampler.namespaces:
        yield {"netns": namespace.namespace.name}, namespace.namespace.foreign_datagrams.datagrams


def _disagreements(context: ScrapeContext) -> Iterator[Sample]:
    for namespace in context.sampler.namespaces:
        yield {"netns": namespace.namespace.name}, namespace.syn_recv_counter.disagreements


def _build(_moment: ScrapeContext) -> list[Sample]:
    return [({"version": __version__, "revision": _REVISION, "python": platform.python_version()}, 1)]


def _levels(unit: Unit) -> Read:
    def samples(context: ScrapeContext) -> Iterator[Sample]:
        config: Config = context.sampler.config
        for rule, thresholds in [(DEFAULTS, config.defaults)] + [
            (rule.name, rule.thresholds) for rule in config.rules
        ]:
            for (queue, severity), level in thresholds.levels.items():
                if level.unit is unit:
                    yield {"rule": rule, "queue": queue, "severity": severity}, level.value

    return samples


_LEVEL: Final = ("rule", "queue", "severity")

EXPORTER_METRICS: Final[tuple[tuple[Metric, Read], ...]] = (
    (
        Metric("listen_queue_threshold_ratio", "gauge", "Thresholds written in per cent; 1 is full.", _LEVEL),
        _levels(Unit.RATIO),
    ),
    (
        Metric("listen_queue_threshold_connections", "gauge", "Thresholds written in connections.", _LEVEL),
        _levels(Unit.CONNECTIONS),
    ),
    exporter(
        "build_info",
        "gauge",
        "Always 1; its labels say what runs.",
        ("version", "revision", "python"),
        _build,
    ),
    *SOURCE_METRICS,
    exporter(
        "refcount_disagreements",
        "counter",
        "Times that a listener's reference count and a walk told different numbers of half-open "
        "connections; such a listener is left to the walks.",
        ("netns",),
        _disagreements,
        needs_history=True,
    ),
    exporter(
        "forged_datagrams",
        "counter",
        "Datagrams that another process than the kernel sent to our sockets in a namespace; nothing of "
        "them is used.",
        ("netns",),
        _forged,
        needs_history=True,
    ),
    exporter(
        "namespaces",
        "gauge",
        "Network namespaces that are sampled, the own one included.",
        (),
        one(lambda context: len(context.sampler.namespaces)),
    ),
    exporter(
        "namespaces_omitted",
        "gauge",
        "Network namespaces that are not sampled because there are more than namespaces.max.",
        (),
        one(lambda context: context.sampler.namespace_scheduler.omitted),
    ),
    exporter(
        "broker_restarts",
        "counter",
        "Times that the process which enters namespaces was lost, and started again.",
        (),
        one(lambda context: context.sampler.namespace_scheduler.restarts()),
        needs_history=True,
    ),
    exporter("listeners", "gauge", "Listeners on this page.", (), one(lambda context: context.listeners)),
    exporter(
        "listeners_omitted",
        "gauge",
        "Listeners left off this page because there are more than max_listeners.",
        (),
        one(lambda context: context.omitted),
    ),
    exporter(
        "sockets_without_owner",
        "gauge",
        "Listening sockets whose process may not be seen; their process label is empty.",
        (),
        one(lambda context: context.sampler.owner_resolver.without_owner()),
    ),
    exporter(
        "config_last_reload_successful",
        "gauge",
        "Whether the configuration file was valid when it was last read: 1 is yes, "
        "0 keeps the old one in force.",
        (),
        one(lambda context: context.reload.successful),
    ),
    exporter(
        "config_last_reload_success_timestamp_seconds",
        "gauge",
        "When the configuration in force was read, in seconds since 1970.",
        (),
        one(lambda context: context.reload.timestamp),
    ),
)


def exporter_families(context: ScrapeContext, *, one_shot: bool) -> Iterator[Family]:
    """Make the families of the exporter; for `one_look` those that it can tell."""
    for metric, read in EXPORTER_METRICS:
        if one_shot and metric.needs_history:
            continue
        family = Family(metric.name, metric.help, metric.kind)
        for labels, value in read(context):
            family.add_sample(metric.sample_name, labels, value)
        yield family
