"""The metrics of a listener."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from exporter.config.model import Queue, Severity
from exporter.metrics.metric import Metric, Subject
from exporter.owners.owner import OWNER_FACTS, UNKNOWN_OWNER
from exporter.sampling.history.queue import QueueHistory
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace_sampler import ACCEPT
from exporter.sampling.sources.oldest_wait import OldestWait
from exporter.sampling.sources.syn_recv import SynRecv

KEY_LABELS: Final = ("netns", "protocol", "address", "port")


@dataclass(frozen=True, slots=True)
class ThresholdOf:
    """One threshold of one queue of a listener."""

    history: QueueHistory
    severity: Severity

    @property
    def known(self) -> bool:
        """Whether the queue can be compared with the threshold."""
        return self.history.threshold_states[self.severity].known


@dataclass(frozen=True, slots=True)
class QueueOf:
    """One queue of a listener that has thresholds, and the source that must be healthy for them."""

    queue: Queue
    source: str
    history: Callable[[ListenerState], QueueHistory | None]


INFO_LABELS: Final = ("rule", *(fact.name for fact in OWNER_FACTS if fact.info), "mptcp", "stale_path")

LISTENER: Final[Subject[ListenerState]] = Subject("A listener's queues", ("L",))
TCP_LISTENER: Final[Subject[ListenerState]] = Subject("A listener's queues", ("L (tcp)",), tcp_only=True)
LISTENER_INFO: Final[Subject[ListenerState]] = Subject("A listener's queues", ("L", *INFO_LABELS))
LISTENER_THRESHOLD: Final[Subject[ThresholdOf]] = Subject(
    "A listener's thresholds", ("L", "queue", "severity")
)

QUEUES: Final = (
    QueueOf(Queue.ACCEPT, ACCEPT, lambda listener: listener.accept),
    QueueOf(Queue.SYN_RECV, SynRecv.NAME, lambda listener: listener.syn_recv),
)

GAUGES_AND_COUNTERS: Final[tuple[Metric[ListenerState, float], ...]] = (
    Metric(
        LISTENER,
        "listen_queue_accept_length",
        "gauge",
        "Connections waiting for accept, summed over the sockets of the listener.",
        lambda listener: listener.group.length,
        ACCEPT,
    ),
    Metric(
        LISTENER,
        "listen_queue_accept_limit",
        "gauge",
        "Backlog in force, summed over the sockets of the listener; each socket admits one connection more.",
        lambda listener: listener.group.limit,
        ACCEPT,
    ),
    Metric(
        LISTENER,
        "listen_queue_accept_utilization_ratio",
        "gauge",
        "Length / (backlog + 1) of the fullest socket of the listener: 1 is full, and it may be more.",
        lambda listener: listener.group.utilization,
        ACCEPT,
    ),
    Metric(
        LISTENER,
        "listen_queue_accept_peak_length",
        "gauge",
        "Highest number of connections waiting for accept in any sample of the last peak_window.",
        lambda listener: listener.accept.peak_length(),
        ACCEPT,
        needs_history=True,
        full=True,
    ),
    Metric(
        LISTENER,
        "listen_queue_accept_peak_utilization_ratio",
        "gauge",
        "Highest utilization of the accept queue in any sample of the last peak_window: 1 is full.",
        lambda listener: listener.accept.peak_ratio(),
        ACCEPT,
        needs_history=True,
    ),
    Metric(
        LISTENER,
        "listen_queue_accept_full_seconds",
        "counter",
        "Time in which at least one socket of the listener had a full accept queue, in seconds.",
        lambda listener: listener.accept.full_seconds(),
        ACCEPT,
        needs_history=True,
    ),
    Metric(
        TCP_LISTENER,
        "listen_queue_accept_oldest_wait_seconds",
        "gauge",
        "How long the oldest connection in the accept queue has waited, in seconds; 0 where none waits. "
        "One that ended with RST stays in the queue and has no age: the oldest of the others counts, and "
        "where none is found the series is absent. It is also absent where several programs share a port and "
        "more than one of them has connections that wait, and at a TPROXY listener where what waits may be "
        "that of another one, or to look for it would exceed cpu_budget.",
        lambda listener: listener.oldest_wait_seconds(),
        OldestWait.NAME,
    ),
    Metric(
        TCP_LISTENER,
        "listen_queue_syn_recv",
        "gauge",
        "Half-open connections (SYN_RECV) of the listener.",
        lambda listener: listener.syn_recv.length if listener.syn_recv else None,
        SynRecv.NAME,
    ),
    Metric(
        TCP_LISTENER,
        "listen_queue_syn_recv_limit",
        "gauge",
        "Most half-open connections that the kernel admits: the sum of backlog + 1 of each socket "
        "(backlog on kernels before 6.13 and its backports), "
        "or less where SYN cookies are off and tcp_max_syn_backlog binds.",
        lambda listener: listener.syn_recv_limit(),
        SynRecv.NAME,
    ),
    Metric(
        TCP_LISTENER,
        "listen_queue_syn_recv_peak",
        "gauge",
        "Highest number of half-open connections in any sample of the last peak_window.",
        lambda listener: listener.syn_recv.peak_length() if listener.syn_recv else None,
        SynRecv.NAME,
        needs_history=True,
        full=True,
    ),
    Metric(
        TCP_LISTENER,
        "listen_queue_drops",
        "counter",
        "Packets dropped at the listener (SK_MEMINFO_DROPS). This is no count of clients: a refused SYN "
        "counts once for each retry, an overflow at the final ACK twice, and a port scan counts too.",
        lambda listener: listener.group.known_drops,
        ACCEPT,
    ),
    Metric(
        LISTENER,
        "listen_queue_sockets",
        "gauge",
        "Sockets that listen at this address: more than one with SO_REUSEPORT.",
        lambda listener: len(listener.group.members),
        ACCEPT,
    ),
)

THRESHOLDS: Final[tuple[Metric[ThresholdOf, float], ...]] = (
    Metric(
        LISTENER_THRESHOLD,
        "listen_queue_threshold_exceeded",
        "gauge",
        "Whether the queue is beyond its threshold, after hold and release: 1 is yes.",
        lambda threshold: threshold.history.active(threshold.severity),
    ),
    Metric(
        LISTENER_THRESHOLD,
        "listen_queue_threshold_exceeded_seconds",
        "counter",
        "Time in which the queue was beyond its threshold, before hold, in seconds.",
        lambda threshold: threshold.history.exceeded_seconds(threshold.severity),
        needs_history=True,
        full=True,
    ),
)

INFO: Final[Metric[ListenerState, float]] = Metric(
    LISTENER_INFO,
    "listen_queue_listener_info",
    "gauge",
    "Always 1; its labels say what else is known of the listener.",
    lambda _listener: 1.0,
    ACCEPT,
)


def info_label_sets(listener: ListenerState) -> list[dict[str, str]]:
    """Return the labels of the info metric beside those that every series of the listener has.

    There is one set for each owner whose labels differ.
    """
    common = {
        "rule": listener.rule_match.rule if listener.rule_match else "",
        "mptcp": _yes_or_no(listener.mptcp),
        "stale_path": _yes_or_no(listener.stale_path),
    }
    of_owners = [
        {fact.name: fact.of(owner) for fact in OWNER_FACTS if fact.info}
        for owner in listener.owners or (UNKNOWN_OWNER,)
    ]
    return [
        {name: (common | facts)[name] for name in INFO_LABELS}
        for position, facts in enumerate(of_owners)
        if facts not in of_owners[:position]
    ]


def _yes_or_no(fact: bool) -> str:  # noqa: FBT001
    return "true" if fact else "false"
