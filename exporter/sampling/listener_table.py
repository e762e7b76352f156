"""The listeners of one network namespace, with the state of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Final

from exporter.config.model import Config
from exporter.kernel.family import FAMILIES, SocketFamily
from exporter.kernel.procfs.counters import Sysctls
from exporter.kernel.records import Changes
from exporter.listeners.group import ListenerGroup
from exporter.listeners.matching import Matcher
from exporter.listeners.registry import ListenerRegistry
from exporter.owners.owner import Owner
from exporter.sampling.history.timeline import SampleTimeline
from exporter.sampling.listener_state import ListenerState
from exporter.thresholds.rules import RuleSet

_COOKIES_OFF: Final = 0


class ListenerTable:
    """What the sources of a namespace write, under the lock, and what is published.

    `accept_timelines` has the timeline of each family's listeners, `syn_recv_timeline` that of half-open
    connections. `sockets_version` grows whenever a socket opens or closes.
    """

    def __init__(self, netns: str, config: Config) -> None:
        self.states: dict[ListenerGroup, ListenerState] = {}
        self.accept_timelines = {family: SampleTimeline() for family in FAMILIES}
        self.syn_recv_timeline = SampleTimeline()
        self.sockets_version = 0
        self._registries = {family: ListenerRegistry(netns, family.protocol) for family in FAMILIES}
        self._rules = RuleSet(config)
        self._peak_window = config.sampling.peak_window_seconds
        self._max_syn_recv: int | None = None
        self._nonempty: dict[SocketFamily, set[ListenerGroup]] = {family: set() for family in FAMILIES}
        self._with_syn_recv: set[ListenerState] = set()
        self._matcher: Matcher | None = None

    def update(self, family: SocketFamily, changes: Changes, now: float) -> None:
        """Take what a sample of a family's listeners found changed."""
        registry, nonempty = self._registries[family], self._nonempty[family]
        if changes.opened or changes.closed:
            self.sockets_version += 1
            self._matcher = None
        for group in registry.apply(changes, now):
            (self.states.get(group) or self._add(group, family)).observe_accept()
            (nonempty.add if group.length else nonempty.discard)(group)
        for group in registry.expire(now):
            self._with_syn_recv.discard(self.states.pop(group))

    def nonempty(self, family: SocketFamily) -> Collection[ListenerGroup]:
        """Return the groups of a family in whose accept queues connections wait."""
        return self._nonempty[family]

    def matcher(self) -> Matcher:
        """Return what finds the listener of a half-open connection, among families that have them."""
        if self._matcher is None:
            self._matcher = Matcher(
                listener
                for family, registry in self._registries.items()
                if family.has_syn_queue
                for listener in registry.listeners()
            )
        return self._matcher

    def set_syn_recv(self, counts: Mapping[ListenerGroup, int]) -> None:
        """Take the half-open connections of each group; groups that are left out have none."""
        by_state = {self.states[group]: count for group, count in counts.items()}
        for state in self._with_syn_recv - by_state.keys():
            state.observe_syn_recv(0)
        for state, count in by_state.items():
            state.observe_syn_recv(count)
        self._with_syn_recv = set(by_state)

    def set_oldest_waits(
        self, asked: Collection[ListenerGroup], seconds: Mapping[ListenerGroup, float]
    ) -> None:
        """Take how long the oldest connection of each group has waited; None for those not found."""
        for group in asked:
            self.states[group].observe_oldest_wait(None)
        for group, waited in seconds.items():
            self.states[group].observe_oldest_wait(waited)

    def set_sysctls(self, sysctls: Sysctls) -> None:
        """Take the settings of the namespace, as far as they limit half-open connections."""
        limit = max_syn_recv(sysctls)
        if limit != self._max_syn_recv:
            self._max_syn_recv = limit
            for state in self.states.values():
                state.set_max_syn_recv(limit)

    def set_owner(self, state: ListenerState, owner: Owner, *, mptcp: bool) -> None:
        """Take the owner of a listener. Another program in the same place starts with new histories."""
        before = state.owner
        if before is not None and before.process and owner.process not in ("", before.process):
            state = self._replace(state)
        if owner != state.owner or mptcp is not state.mptcp:
            state.set_owner(owner, mptcp=mptcp)
            state.apply_rules(self._rules, self._peak_window)

    def configure(self, config: Config) -> None:
        """Apply the rules of another configuration; histories go on."""
        self._rules = RuleSet(config)
        self._peak_window = config.sampling.peak_window_seconds
        for state in self.states.values():
            state.apply_rules(self._rules, self._peak_window)

    def inodes(self) -> dict[int, int]:
        """Return the inode of every listening socket, with the id of the cgroup it was made in."""
        return {
            listener.inode: listener.cgroup_id
            for registry in self._registries.values()
            for listener, _ in registry.listeners()
        }

    def _add(self, group: ListenerGroup, family: SocketFamily) -> ListenerState:
        syn_recv = self.syn_recv_timeline if family.has_syn_queue else None
        state = ListenerState(group, self.accept_timelines[family], syn_recv, self._peak_window)
        state.set_max_syn_recv(self._max_syn_recv)
        state.apply_rules(self._rules, self._peak_window)
        state.observe_syn_recv(0)
        self.states[group] = state
        return state

    def _replace(self, state: ListenerState) -> ListenerState:
        state.group.discard_closed_drops()
        family = next(family for family in FAMILIES if family.protocol == state.group.key.protocol)
        self._with_syn_recv.discard(state)
        fresh = self._add(state.group, family)
        fresh.observe_accept()
        return fresh


def max_syn_recv(sysctls: Sysctls) -> int | None:
    """Return how many half-open connections a socket may have whatever its backlog; None for no such limit.

    With SYN cookies off, new peers are refused once fewer than a quarter of tcp_max_syn_backlog is free
    (tcp_conn_request, net/ipv4/tcp_input.c).
    """
    backlog = sysctls.max_syn_backlog
    if sysctls.syncookies != _COOKIES_OFF or backlog is None:
        return None
    return backlog - (backlog >> 2) + 1
