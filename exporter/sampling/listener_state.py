"""One listener with everything that is known of it: what the page is made from."""

from __future__ import annotations

from exporter.config.model import Queue
from exporter.listeners.group import ListenerGroup
from exporter.owners.owner import UNKNOWN_OWNER, Owner
from exporter.sampling.history.accept import AcceptHistory
from exporter.sampling.history.queue import QueueHistory
from exporter.sampling.history.timeline import SampleTimeline
from exporter.thresholds.rules import RuleMatch, RuleSet

# A new listener is not published for this long at most while its owner is looked for, so that it does not
# start as one series and go on as another.
_OWNER_WAIT_SECONDS = 1.0


class ListenerState:
    """A group of sockets, its histories, its owner and the rule that applies to it.

    `syn_recv` is None where the family has no SYN queue. `since` is the monotonic time of the first sample.
    `revision` counts changes, for readers that keep what they have made of the state.
    """

    __slots__ = (
        "_max_syn_recv",
        "_oldest_wait_seconds",
        "accept",
        "group",
        "mptcp",
        "owner",
        "revision",
        "rule_match",
        "since",
        "syn_recv",
    )

    def __init__(
        self,
        group: ListenerGroup,
        accept: SampleTimeline,
        syn_recv: SampleTimeline | None,
        peak_window: float,
    ) -> None:
        """Take the timelines of the sources that sample its two queues."""
        self.group = group
        self.accept = AcceptHistory(accept, peak_window)
        self.syn_recv = QueueHistory(Queue.SYN_RECV, syn_recv, peak_window) if syn_recv is not None else None
        self.owner: Owner | None = None
        self.rule_match: RuleMatch | None = None
        self.mptcp = False
        self.since = accept.newest
        self.revision = 0
        self._max_syn_recv: int | None = None
        self._oldest_wait_seconds: float | None = None

    def apply_rules(self, rules: RuleSet, peak_window: float) -> None:
        """Find the rule that applies, after the owner became known or the configuration changed."""
        self.revision += 1
        self.rule_match = rules.match(self.group.key, self.owner or UNKNOWN_OWNER)
        self.accept.set_thresholds(self.rule_match.thresholds, peak_window)
        if self.syn_recv is not None:
            self.syn_recv.set_thresholds(self.rule_match.thresholds, peak_window)

    def set_owner(self, owner: Owner, *, mptcp: bool) -> None:
        """Take what was found out about its sockets; the rules have to be applied again."""
        self.owner = owner
        self.mptcp = mptcp

    def set_max_syn_recv(self, connections: int | None) -> None:
        """Take how many half-open connections a socket may have whatever its backlog; None for no limit."""
        self.revision += 1
        self._max_syn_recv = connections

    def observe_accept(self) -> None:
        """Take what the newest sample changed in the group."""
        self.revision += 1
        self.accept.observe(self.group.length, self.group.utilization)
        if not self.group.length:
            self._oldest_wait_seconds = None

    def observe_syn_recv(self, count: int) -> None:
        """Take the newest number of half-open connections."""
        self.revision += 1
        if self.syn_recv is not None:
            limit = self.syn_recv_limit()
            self.syn_recv.observe(count, count / limit if limit else None)

    def observe_oldest_wait(self, seconds: float | None) -> None:
        """Take how long the oldest connection has waited for accept; None where none was found."""
        self.revision += 1
        self._oldest_wait_seconds = seconds

    def time_invariant(self) -> bool:
        """Tell whether time alone changes no figure but the histogram."""
        return self.accept.time_invariant() and (self.syn_recv is None or self.syn_recv.time_invariant())

    def syn_recv_limit(self) -> int | None:
        """Return how many half-open connections the kernel admits; None where that is not known."""
        return self.group.syn_recv_limit(self._max_syn_recv) if self.syn_recv is not None else None

    def oldest_wait_seconds(self) -> float | None:
        """Return how long the oldest connection has waited; None where that was not measured yet."""
        if self.syn_recv is None or self.group.length is None:
            return None
        return self._oldest_wait_seconds if self.group.length else 0.0

    def published(self, now: float) -> bool:
        """Tell whether this listener has series."""
        if not self.group.members or self.rule_match is None or not self.rule_match.export:
            return False
        return self.owner is not None or now - self.since >= _OWNER_WAIT_SECONDS
