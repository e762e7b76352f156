"""The metrics of the exporter itself: what it is, what it was told, and what it had to leave out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from exporter.config.model import DEFAULTS, Level, Unit
from exporter.metrics.context import ScrapeContext
from exporter.metrics.metric import Labels, Metric, Subject
from exporter.metrics.namespace_metrics import NAMESPACE
from exporter.sampling.sources.syn_recv import SynRecv

_TITLE: Final = "The exporter"


def _exporter(context: ScrapeContext) -> Iterator[tuple[Labels, ScrapeContext]]:
    yield {}, context


def _build(context: ScrapeContext) -> Iterator[tuple[Labels, ScrapeContext]]:
    build = context.build
    yield {"version": build.version, "revision": build.revision, "python": build.python}, context


def _levels(unit: Unit) -> Callable[[ScrapeContext], Iterator[tuple[Labels, Level]]]:
    def items(context: ScrapeContext) -> Iterator[tuple[Labels, Level]]:
        config = context.sampler.config
        by_rule = {DEFAULTS: config.defaults} | {rule.name: rule.thresholds for rule in config.rules}
        for rule, thresholds in by_rule.items():
            for (queue, severity), level in thresholds.levels.items():
                if level.unit is unit:
                    yield {"rule": rule, "queue": queue, "severity": severity}, level

    return items


_SETTING_TITLE: Final = "The thresholds of the configuration"
_SETTING_LABELS: Final = ("rule", "queue", "severity")
_RATIO_SETTING: Final = Subject(_SETTING_TITLE, _SETTING_LABELS, _levels(Unit.RATIO))
_CONNECTIONS_SETTING: Final = Subject(_SETTING_TITLE, _SETTING_LABELS, _levels(Unit.CONNECTIONS))
_EXPORTER: Final = Subject(_TITLE, (), _exporter)
_BUILD: Final = Subject(_TITLE, ("version", "revision", "python"), _build)
_EXPORTER_IN_NAMESPACE: Final = Subject(_TITLE, NAMESPACE.labels, NAMESPACE.items)

SETTING_METRICS: Final = (
    Metric(
        _RATIO_SETTING,
        "listen_queue_threshold_ratio",
        "gauge",
        "Thresholds written in per cent; 1 is full.",
        lambda level: level.value,
    ),
    Metric(
        _CONNECTIONS_SETTING,
        "listen_queue_threshold_connections",
        "gauge",
        "Thresholds written in connections.",
        lambda level: level.value,
    ),
)

BUILD_INFO: Final = Metric(
    _BUILD,
    "listen_queue_exporter_build_info",
    "gauge",
    "Always 1; its labels say what runs.",
    lambda _context: 1.0,
)

EXPORTER_METRICS: Final = (
    Metric(
        _EXPORTER_IN_NAMESPACE,
        "listen_queue_exporter_refcount_disagreements",
        "counter",
        "Times that a listener's reference count and a dump of all connections told different numbers of "
        "half-open connections; such a listener is counted by dumps.",
        lambda namespace: namespace.source(SynRecv).disagreements,
        needs_history=True,
    ),
    Metric(
        _EXPORTER_IN_NAMESPACE,
        "listen_queue_exporter_forged_datagrams",
        "counter",
        "Datagrams that another process than the kernel sent to the exporter's sockets in a namespace; "
        "nothing of them is used.",
        lambda namespace: namespace.namespace.foreign_datagrams.count,
        needs_history=True,
    ),
    Metric(
        _EXPORTER,
        "listen_queue_exporter_namespaces",
        "gauge",
        "Network namespaces that are sampled, the exporter's own included.",
        lambda context: len(context.sampler.namespaces),
    ),
    Metric(
        _EXPORTER,
        "listen_queue_exporter_namespaces_omitted",
        "gauge",
        "Network namespaces that are not sampled because there are more than namespaces.max.",
        lambda context: context.sampler.namespace_scheduler.discovery.omitted,
    ),
    Metric(
        _EXPORTER,
        "listen_queue_exporter_broker_restarts",
        "counter",
        "Times that the process which enters namespaces was lost, and started again.",
        lambda context: context.sampler.namespace_scheduler.broker_restarts(),
        needs_history=True,
    ),
    Metric(
        _EXPORTER,
        "listen_queue_exporter_listeners",
        "gauge",
        "Listeners on this page.",
        lambda context: context.listeners,
    ),
    Metric(
        _EXPORTER,
        "listen_queue_exporter_listeners_omitted",
        "gauge",
        "Listeners left off this page because there are more than max_listeners.",
        lambda context: context.omitted,
    ),
    Metric(
        _EXPORTER,
        "listen_queue_exporter_sockets_without_owner",
        "gauge",
        "Listening sockets whose process may not be seen; their process label is empty.",
        lambda context: context.sampler.owners.sockets_without_owner,
    ),
    Metric(
        _EXPORTER,
        "listen_queue_exporter_config_last_reload_successful",
        "gauge",
        "Whether the configuration file was valid when it was last read: 1 is yes, "
        "0 keeps the old one in force.",
        lambda context: context.reload.successful,
    ),
    Metric(
        _EXPORTER,
        "listen_queue_exporter_config_last_reload_success_timestamp_seconds",
        "gauge",
        "When the configuration in force was read, in seconds since 1970.",
        lambda context: context.reload.timestamp,
    ),
)
