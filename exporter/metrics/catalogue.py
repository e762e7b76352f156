"""Every metric of a listener: its name, type, help and labels, and how it is read. Nowhere else.

Names follow https://prometheus.io/docs/practices/naming/. Each entry stands for one family of
series, one series for each listener, or for each listener, queue and severity.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from exporter.config.model import Queue, Severity
from exporter.sampling.history.queue import QueueHistory
from exporter.sampling.listener_state import ListenerState

KEY_LABELS: Final = ("netns", "protocol", "address", "port")
OWNER_INFO_LABELS: Final = (
    "unit",
    "slice",
    "container",
    "container_id",
    "runtime",
    "pod",
    "namespace",
    "user",
    "cgroup",
)
INFO_LABELS: Final = ("rule", *OWNER_INFO_LABELS, "mptcp")


@dataclass(frozen=True, slots=True)
class Metric:
    """A family of series. `kind` is gauge, counter or histogram; `name` is without `_total`.

    `takes_time` is for what nobody can tell who looks once: it is counted while the exporter runs.
    """

    name: str
    kind: str
    help: str
    labels: tuple[str, ...] = ()
    needs_history: bool = False

    @property
    def sample_name(self) -> str:
        """The name that queries use."""
        return f"{self.name}_total" if self.kind == "counter" else self.name


@dataclass(frozen=True, slots=True)
class ListenerMetric(Metric):
    """One series for each listener. `source` must be healthy; `read` gives None for no series.

    `tcp_only` is for the reference: what the kernel tells of no unix listener.
    """

    source: str = "accept"
    tcp_only: bool = False
    read: Callable[[ListenerState], float | None] = lambda _: None


@dataclass(frozen=True, slots=True)
class ThresholdMetric(Metric):
    """One series for each listener, queue and severity."""

    read: Callable[[QueueHistory, Severity], float] = lambda _history, _severity: 0.0


LISTENER_METRICS: Final = (
    ListenerMetric(
        "listen_queue_accept_length",
        "gauge",
        "Connections waiting for accept, summed over the sockets of the listener.",
        read=lambda listener: listener.group.length,
    ),
    ListenerMetric(
        "listen_queue_accept_limit",
        "gauge",
        "Backlog in force, summed over the sockets of the listener; each socket admits one connection more.",
        read=lambda listener: listener.group.limit,
    ),
    ListenerMetric(
        "listen_queue_accept_utilization_ratio",
        "gauge",
        "Length / (backlog + 1) of the fullest socket of the listener: 1 is full, and it may be more.",
        read=lambda listener: listener.group.utilization,
    ),
    ListenerMetric(
        "listen_queue_accept_peak_length",
        "gauge",
        "Highest number of connections waiting for accept in any sample of the last peak_window.",
        needs_history=True,
        read=lambda listener: listener.accept.peak_length(),
    ),
    ListenerMetric(
        "listen_queue_accept_peak_utilization_ratio",
        "gauge",
        "Highest utilization of the accept queue in any sample of the last peak_window: 1 is full.",
        needs_history=True,
        read=lambda listener: listener.accept.peak_ratio(),
    ),
    ListenerMetric(
        "listen_queue_accept_full_seconds",
        "counter",
        "Time in which at least one socket of the listener had a full accept queue, in seconds.",
        needs_history=True,
        read=lambda listener: listener.accept.full_seconds(),
    ),
    ListenerMetric(
        "listen_queue_accept_oldest_wait_seconds",
        "gauge",
        "How long the oldest connection in the accept queue has waited, in seconds; 0 where none waits.",
        source="oldest_wait",
        tcp_only=True,
        read=lambda listener: listener.wait_seconds(),
    ),
    ListenerMetric(
        "listen_queue_syn_recv",
        "gauge",
        "Half-open connections (SYN_RECV) of the listener.",
        source="syn_recv",
        tcp_only=True,
        read=lambda listener: listener.syn_recv.length if listener.syn_recv else None,
    ),
    ListenerMetric(
        "listen_queue_syn_recv_limit",
        "gauge",
        "Most half-open connections that the kernel admits: the sum of backlog + 1 of each socket, "
        "or less where SYN cookies are off and tcp_max_syn_backlog binds.",
        source="syn_recv",
        tcp_only=True,
        read=lambda listener: listener.syn_recv_limit(),
    ),
    ListenerMetric(
        "listen_queue_syn_recv_peak",
        "gauge",
        "Highest number of half-open connections in any sample of the last peak_window.",
        source="syn_recv",
        tcp_only=True,
        needs_history=True,
        read=lambda listener: listener.syn_recv.peak_length() if listener.syn_recv else None,
    ),
    ListenerMetric(
        "listen_queue_drops",
        "counter",
        "Packets dropped at the listener (SK_MEMINFO_DROPS). This is no count of clients: a refused SYN "
        "counts once for each retry, an overflow at the final ACK twice, and a port scan counts too.",
        tcp_only=True,
        read=lambda listener: listener.group.drops,
    ),
    ListenerMetric(
        "listen_queue_sockets",
        "gauge",
        "Sockets that listen in this place: more than one with SO_REUSEPORT.",
        read=lambda listener: len(listener.group.members),
    ),
)

HISTOGRAM: Final = Metric(
    "listen_queue_accept_sampled_utilization_ratio",
    "histogram",
    "Utilization of the accept queue, one observation for each sample; above 0.999 is full "
    "or less than a thousandth short of it.",
    ("le",),
    needs_history=True,
)

INFO: Final = Metric(
    "listen_queue_listener_info",
    "gauge",
    "Always 1; its labels say what else is known of the listener.",
    INFO_LABELS,
)

_THRESHOLD_LABELS: Final = ("queue", "severity")

THRESHOLD_METRICS: Final = (
    ThresholdMetric(
        "listen_queue_threshold_exceeded",
        "gauge",
        "Whether the queue is beyond its threshold, after hold and release: 1 is yes.",
        _THRESHOLD_LABELS,
        read=lambda history, severity: history.active(severity),
    ),
    ThresholdMetric(
        "listen_queue_threshold_exceeded_seconds",
        "counter",
        "Time in which the queue was beyond its threshold, before hold, in seconds.",
        _THRESHOLD_LABELS,
        needs_history=True,
        read=lambda history, severity: history.exceeded_seconds(severity),
    ),
)

# Which history a queue's thresholds are about, and the source that has to be healthy for it.
QUEUES: Final[tuple[tuple[Queue, str, Callable[[ListenerState], QueueHistory | None]], ...]] = (
    (Queue.ACCEPT, "accept", lambda listener: listener.accept),
    (Queue.SYN_RECV, "syn_recv", lambda listener: listener.syn_recv),
)
