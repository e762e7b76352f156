"""The histograms of a listener."""

from __future__ import annotations

from typing import Final

from exporter.metrics.metric import Metric, Subject
from exporter.sampling.followed_limit import MAX_FOLLOWED
from exporter.sampling.history import accept, waits
from exporter.sampling.history.accept import HistogramState
from exporter.sampling.history.waits import WaitHistogram
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace_sampler import ACCEPT
from exporter.sampling.sources.oldest_wait import OldestWait

# What the numbers of a histogram are computed from; equal ones have equal numbers.
Observed = HistogramState | WaitHistogram

HISTOGRAMS: Final[tuple[Metric[ListenerState, Observed], ...]] = (
    Metric(
        Subject("A listener's queues", ("L", "le")),
        "listen_queue_accept_sampled_utilization_ratio",
        "histogram",
        "Utilization of the accept queue, one observation for each sample; above 0.999 is full "
        "or less than a thousandth short of it.",
        lambda listener: listener.accept.histogram_state(),
        ACCEPT,
        needs_history=True,
        full=True,
        buckets=accept.BUCKETS,
    ),
    Metric(
        Subject("A listener's queues", ("L (tcp)", "le"), tcp_only=True),
        "listen_queue_accept_wait_seconds",
        "histogram",
        "How long connections had waited for accept when they left the queue, in seconds: each that a sample "
        "saw while it waited. Shorter waits than the time between two samples, "
        'listen_queue_exporter_sample_interval_seconds{source="oldest_wait"}, are mostly not in it, and the '
        "others are known to half of that. A connection that its client reset has left the queue too; what "
        "waited at a socket when it stopped listening is not in it, nor what waits where several programs "
        f"have one port. Where more than {MAX_FOLLOWED} connections wait on a host, the oldest of each queue "
        "are followed.",
        lambda listener: listener.waits(),
        OldestWait.NAME,
        needs_history=True,
        full=True,
        buckets=waits.BUCKETS,
    ),
)
