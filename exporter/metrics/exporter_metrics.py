"""The metrics of the exporter itself: what it is, what it was told, and what it had to leave out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

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


def _processes(context: ScrapeContext) -> Iterator[tuple[Labels, float]]:
    for process, seconds in context.sampler.cpu_budget.seconds().items():
        yield {"process": process}, seconds


def _log_lines(context: ScrapeContext) -> Iterator[tuple[Labels, int]]:
    yield {"reason": "unwritten"}, context.log_lines.unwritten
    yield {"reason": "repeated"}, context.log_lines.repeated


def _omitted(context: ScrapeContext) -> Iterator[tuple[Labels, int]]:
    for namespace in context.sampler.namespaces:
        yield {"netns": namespace.name}, context.omitted.get(namespace.name, 0)


def _sandboxes(context: ScrapeContext) -> Iterator[tuple[Labels, bool]]:
    for process, kinds in context.sampler.sandboxes.items():
        for kind, in_force in kinds.items():
            yield {"process": process, "kind": kind}, in_force


_EXPORTER: Final = Subject(_TITLE, (), _exporter)
_BUILD: Final = Subject(_TITLE, ("version", "revision", "python"), _build)
_PROCESS: Final = Subject(_TITLE, ("process",), _processes)
_LOG: Final = Subject(_TITLE, ("reason",), _log_lines)
_SANDBOX: Final = Subject(_TITLE, ("process", "kind"), _sandboxes)
_EXPORTER_IN_NAMESPACE: Final = Subject(_TITLE, NAMESPACE.labels, NAMESPACE.items)
_SHARE: Final = Subject(_TITLE, NAMESPACE.labels, _omitted)

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
        "listen_queue_exporter_namespace_sample_interval_seconds",
        "gauge",
        "Seconds between two samples of the accept queues of a network namespace, as in force now.",
        lambda namespace: namespace.interval_seconds,
        needs_history=True,
    ),
    Metric(
        _EXPORTER_IN_NAMESPACE,
        "listen_queue_exporter_refcount_disagreements",
        "counter",
        "Times that a listener's reference count and a dump of all connections told different numbers of "
        "half-open connections, and did so again at a second look.",
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
        "listen_queue_exporter_cpu_budget_ratio",
        "gauge",
        "The configured cpu_budget: the share of one core that all processes of the exporter may use.",
        lambda context: context.sampler.config.sampling.cpu_budget_ratio,
        needs_history=True,
    ),
    Metric(
        _EXPORTER,
        "listen_queue_exporter_cpu_budget_exceeded_seconds",
        "counter",
        "Seconds during which the use of all processes of the exporter over the last 30 s was more than "
        "110 % of cpu_budget, whatever the sampling interval. What the first 10 s have used is not counted.",
        lambda context: context.sampler.cpu_budget.exceeded_seconds,
        needs_history=True,
    ),
    Metric(
        _PROCESS,
        "listen_queue_exporter_cpu_seconds",
        "counter",
        "Processor time of each process of the exporter, in seconds; `broker` is that of both brokers.",
        lambda seconds: seconds,
        needs_history=True,
    ),
    Metric(
        _SANDBOX,
        "listen_queue_exporter_sandbox",
        "gauge",
        "Whether a process of the exporter is confined: `user` is 1 where it is not root, `seccomp` where "
        "its system calls are filtered, `landlock` where it can only read files.",
        lambda in_force: in_force,
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
        lambda context: sum(context.omitted.values()),
    ),
    Metric(
        _SHARE,
        "listen_queue_exporter_namespace_listeners_omitted",
        "gauge",
        "Listeners of a network namespace left off this page because they are more than its share of "
        "max_listeners.",
        lambda omitted: omitted,
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
        "listen_queue_exporter_unreadable_processes",
        "gauge",
        "Processes whose sockets may not be read, at the last search of all: those of others without the "
        "capabilities for it, else those that protect themselves.",
        lambda context: context.sampler.owners.unreadable_processes,
    ),
    Metric(
        _EXPORTER,
        "listen_queue_exporter_hung_lookups",
        "counter",
        "Lookups of users, arguments, containers and files of sockets that hung, as where a directory or a "
        "file server does not answer; listeners are published without what was looked up.",
        lambda context: context.sampler.owners.hung_lookups,
        needs_history=True,
    ),
    Metric(
        _LOG,
        "listen_queue_exporter_log_lines_dropped",
        "counter",
        "Lines that the log lacks: unwritten, since the standard error took no more or could not be written, "
        "or repeated, since one cause may log 120 lines and then one each 10 s.",
        lambda lines: lines,
        needs_history=True,
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
