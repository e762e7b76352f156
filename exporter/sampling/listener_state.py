"""One listener with everything that is known of it: what the page shows."""

from __future__ import annotations

from collections.abc import Callable

from exporter.config.model import Queue
from exporter.kernel.records import ListenerProtocol
from exporter.listeners.group import ListenerGroup
from exporter.owners.owner import UNKNOWN_OWNER, Owner
from exporter.sampling.history.accept import AcceptHistory
from exporter.sampling.history.clock import SampleClock
from exporter.sampling.history.queue import QueueHistory
from exporter.thresholds.rules import RuleMatch, RuleSet

# A new listener stays off the page this long at most while its owner is looked for, so that it
# does not start as one series and go on as another.
_NAMELESS_SECONDS = 1.0


class ListenerState:
    """A group of sockets, its histories, its owner and the verdict of the rules on it."""

    __slots__ = (
        "_syn_recv_limit",
        "accept",
        "changes",
        "group",
        "mptcp",
        "oldest_wait_seconds",
        "owner",
        "rule_match",
        "since",
        "syn_recv",
    )

    def __init__(
        self,
        group: ListenerGroup,
        clocks: tuple[SampleClock, SampleClock | None],
        syn_recv_limit: Callable[[ListenerGroup], int | None],
        peak_window: float,
    ) -> None:
        """Start watching; the clocks are those of the sources of its two queues."""
        accept, syn_recv = clocks
        self._syn_recv_limit = syn_recv_limit
        self.group = group
        self.accept = AcceptHistory(accept, peak_window)
        self.syn_recv = QueueHistory(Queue.SYN_RECV, syn_recv, peak_window) if syn_recv is not None else None
        self.owner: Owner | None = None
        self.rule_match: RuleMatch | None = None
        self.oldest_wait_seconds: float | None = None
        self.mptcp = False
        self.since = accept.now
        # Counts what happened to this listener, for readers that keep what they made of it.
        self.changes = 0

    def judge(self, rules: RuleSet, peak_window: float) -> None:
        """Ask the rules again, after the owner became known or the configuration changed."""
        self.changes += 1
        self.rule_match = rules.judge(self.group.key, self.owner or UNKNOWN_OWNER)
        self.accept.judge(self.rule_match.thresholds, peak_window)
        if self.syn_recv is not None:
            self.syn_recv.judge(self.rule_match.thresholds, peak_window)

    def observe_accept(self) -> None:
        """Fold in what the newest sample made of the group."""
        self.changes += 1
        self.accept.observe(self.group.length, self.group.utilization)
        if not self.group.length:
            self.oldest_wait_seconds = None

    def observe_syn_recv(self, count: int) -> None:
        """Fold in the newest count of half-open connections."""
        self.changes += 1
        if self.syn_recv is not None:
            limit = self.syn_recv_limit()
            self.syn_recv.observe(count, count / limit if limit else None)

    def observe_wait(self, seconds: float | None) -> None:
        """Take how long the oldest connection has waited; None where it was not found."""
        self.changes += 1
        self.oldest_wait_seconds = seconds

    def settled(self) -> bool:
        """Tell whether its figures stay as they are, but for the histogram, until something happens to it."""
        return self.accept.settled() and (self.syn_recv is None or self.syn_recv.settled())

    def syn_recv_limit(self) -> int | None:
        """Return how many half-open connections the kernel admits; None where nobody can tell."""
        return self._syn_recv_limit(self.group) if self.syn_recv is not None else None

    def wait_seconds(self) -> float | None:
        """Return how long the oldest connection has waited; None where that was not measured yet."""
        if self.group.key.protocol is not ListenerProtocol.TCP or self.group.length is None:
            return None
        return self.oldest_wait_seconds if self.group.length else 0.0

    def shown(self, now: float) -> bool:
        """Tell whether this listener belongs on the page."""
        if not self.group.members or self.rule_match is None or not self.rule_match.export:
            return False
        return self.owner is not None or now - self.since >= _NAMELESS_SECONDS
