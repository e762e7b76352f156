"""One listener with everything that is known of it: what the page is made from."""

from __future__ import annotations

from exporter.config.model import Export, Queue, Severity
from exporter.kernel.syn_queue import BEYOND_BACKLOG, SynQueueBound
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import ListenerKey
from exporter.owners.owner import UNKNOWN_OWNER, Owner
from exporter.sampling.history.accept import FULL, AcceptHistory
from exporter.sampling.history.queue import QueueHistory
from exporter.sampling.history.timeline import SampleTimeline
from exporter.sampling.history.waits import NO_WAITS, WaitHistogram
from exporter.sampling.waiting_clients import WaitingClient
from exporter.thresholds.rules import RuleMatch, RuleSet

# A new listener is not published for this long at most while its owner is looked for, so that it does not
# start as one series and go on as another.
OWNER_WAIT_SECONDS = 1.0


class ListenerState:
    """A group of sockets, its histories, its owner and the rule that applies to it.

    `syn_recv` is None where the family has no SYN queue. `since` is the monotonic time of the first sample.
    `revision` counts changes, for readers that keep what they have made of the state. `folded_into` is the
    listener that is published in its place, None where there is none. `owners` are those of its sockets that
    differ in anything, the first being `owner`. `address` is its label: the group's own, unless another
    listener has the same labels. `clients` are those that most connections waited from after its accept queue
    had become full or critical; none as long as they are not known.
    """

    __slots__ = (
        "_oldest_wait_seconds",
        "_peak_window",
        "_syn_queue_bound",
        "_waits",
        "accept",
        "address",
        "clients",
        "folded_into",
        "group",
        "mptcp",
        "owner",
        "owners",
        "revision",
        "rule_match",
        "since",
        "stale_path",
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
        self.address = group.key.address
        self.owner: Owner | None = None
        self.owners: tuple[Owner, ...] = ()
        self.stale_path = False
        self.rule_match: RuleMatch | None = None
        self._peak_window = peak_window
        self.mptcp = False
        self.folded_into: ListenerState | None = None
        self.since = accept.newest
        self.revision = 0
        self._syn_queue_bound = SynQueueBound(BEYOND_BACKLOG)
        self._oldest_wait_seconds: float | None = None
        self._waits = NO_WAITS
        self.clients: tuple[WaitingClient, ...] = ()

    def history(self, queue: Queue) -> QueueHistory | None:
        """Return that of one of its queues; None where the family has no such queue."""
        return self.accept if queue is Queue.ACCEPT else self.syn_recv

    def apply_rules(self, rules: RuleSet, peak_window: float) -> None:
        """Find the rule that applies, after the owner became known or the configuration changed."""
        self.set_rule(rules.match(self.group.key, self.owner or UNKNOWN_OWNER), peak_window)

    def set_rule(self, rule_match: RuleMatch, peak_window: float) -> None:
        """Take the rule that applies; counters go on."""
        self.revision += 1
        # Mostly it is the same once the owner is known.
        if (rule_match, peak_window) == (self.rule_match, self._peak_window):
            return
        self.rule_match, self._peak_window = rule_match, peak_window
        self.accept.set_thresholds(self.rule_match.thresholds, peak_window)
        if self.syn_recv is not None:
            self.syn_recv.set_thresholds(self.rule_match.thresholds, peak_window)

    def set_owners(self, owners: tuple[Owner, ...], *, mptcp: bool, stale_path: bool = False) -> None:
        """Take what was found out about its sockets; the rules have to be applied again.

        `owners` has one owner at least, that of the listener first.
        """
        self.owner, self.owners = owners[0], owners
        self.mptcp = mptcp
        self.stale_path = stale_path
        self.address = self.group.key.address

    def key(self) -> ListenerKey:
        """Return the labels of its place."""
        return self.group.key._replace(address=self.address)

    def set_address(self, address: str) -> None:
        """Take the label that tells it from another listener with the same address."""
        self.address = address

    def fold_into(self, other: ListenerState | None) -> None:
        """Take the listener that is published in place of this one."""
        self.folded_into = other

    def set_syn_queue_bound(self, bound: SynQueueBound) -> None:
        """Take how many half-open connections a socket may have."""
        self.revision += 1
        self._syn_queue_bound = bound
        self._compare_syn_recv()

    def observe_accept(self) -> None:
        """Take what the newest sample changed in the group."""
        self.revision += 1
        self.accept.observe(self.group.length, self.group.utilization)
        if not self.group.length:
            self._oldest_wait_seconds = None
        # The limit of the SYN queue follows from the backlogs. An empty one is 0 of any limit, so it matters
        # there only whether the limit is known: thousands of listeners may change in one sample.
        syn_recv = self.syn_recv
        if syn_recv is not None and (
            syn_recv.length or (syn_recv.ratio is None) is not (self.group.limit is None)
        ):
            self._compare_syn_recv()

    def observe_syn_recv(self, count: int | None) -> None:
        """Take the newest number of half-open connections; None where it is not known."""
        self.revision += 1
        if self.syn_recv is not None:
            if count:
                self._learn_from(count)
            self.syn_recv.observe(count, self._syn_recv_ratio(count))

    def observe_oldest_wait(self, seconds: float | None) -> None:
        """Take how long the oldest connection has waited for accept; None where none was found."""
        self.revision += 1
        self._oldest_wait_seconds = seconds

    def observe_clients(self, clients: tuple[WaitingClient, ...]) -> None:
        """Take the clients that most connections wait from; none has them looked for."""
        self.clients = clients

    def count_waits(self, waits: WaitHistogram) -> None:
        """Take how long connections had waited that left the accept queue."""
        self.revision += 1
        self._waits = self._waits.plus(waits)

    def critical_or_full(self) -> bool:
        """Tell whether its accept queue is full, or beyond its critical threshold since the newest sample."""
        return self.accept.threshold_states[Severity.CRITICAL].exceeded or (self.accept.ratio or 0.0) >= FULL

    def time_invariant(self) -> bool:
        """Tell whether time alone changes no figure but histograms."""
        return self.accept.time_invariant() and (self.syn_recv is None or self.syn_recv.time_invariant())

    def published_as(self) -> ListenerState:
        """Return the listener that is published for this one: itself where it is not folded."""
        return self if self.folded_into is None else self.folded_into

    def peak_seconds(self) -> float:
        """Return for how long its peaks were looked for: since its first sample, in the window at most."""
        return min(self._peak_window, self.accept.sampled - self.since)

    def syn_recv_limit(self) -> int | None:
        """Return how many half-open connections the kernel admits; None where that is not known."""
        return self.group.syn_recv_limit(self._syn_queue_bound) if self.syn_recv is not None else None

    def oldest_wait_seconds(self) -> float | None:
        """Return how long the oldest connection has waited; None where that was not measured yet."""
        if self.syn_recv is None or self.group.length is None:
            return None
        return self._oldest_wait_seconds if self.group.length else 0.0

    def waits(self) -> WaitHistogram | None:
        """Return how long connections had waited; None where the family, or the method, does not tell."""
        return None if self.syn_recv is None or self.group.limit is None else self._waits

    def published(self, now: float) -> bool:
        """Tell whether this listener has series."""
        match = self.rule_match
        if not self.group.members or match is None or match.export is Export.NONE:
            return False
        if self.folded_into is not None:
            return False
        return self.owner is not None or now - self.since >= OWNER_WAIT_SECONDS

    def _compare_syn_recv(self) -> None:
        """Compare the newest number of half-open connections with a limit that may be another one."""
        if self.syn_recv is not None and self.syn_recv.length is not None:
            self.syn_recv.observe(self.syn_recv.length, self._syn_recv_ratio(self.syn_recv.length))

    def _learn_from(self, count: int) -> None:
        """See whether the kernel admits more half-open connections than its version tells."""
        limit = self.syn_recv_limit()
        if limit is not None and limit < count <= limit + len(self.group.members):
            self._syn_queue_bound = self._syn_queue_bound._replace(beyond_backlog=1)

    def _syn_recv_ratio(self, count: int | None) -> float | None:
        limit = self.syn_recv_limit()
        return count / limit if limit and count is not None else None
