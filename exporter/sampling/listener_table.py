"""The listeners of one network namespace, with the state of each."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from exporter.config.model import Config
from exporter.kernel.family import FAMILIES, SocketFamily, family_of
from exporter.kernel.procfs.counters import Sysctls
from exporter.kernel.records import UNCHANGED, Changes, Listener
from exporter.kernel.syn_queue import BEYOND_BACKLOG, SynQueueBound
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import ListenerKey
from exporter.listeners.matching import Matcher
from exporter.listeners.registry import ListenerRegistry
from exporter.owners.owner import SocketOwner
from exporter.sampling import folded_figures
from exporter.sampling.folded_listeners import FoldedListeners
from exporter.sampling.history.timeline import SampleTimeline
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.mptcp_sockets import MptcpSockets
from exporter.sampling.nonempty_queues import NonemptyQueues
from exporter.sampling.queue_observers import QueueObservers
from exporter.sampling.socket_owners import GroupOwners, SocketOwners
from exporter.thresholds.rules import RuleSet

# How often it is looked for what closed long ago.
_EXPIRE_SECONDS: Final = 1.0


class ListenerTable:
    """What the sources of a namespace write, under the lock, and what is published.

    `sockets_version` grows whenever a socket opens or closes. `mptcp` tells which are MPTCP's.
    """

    def __init__(
        self, netns: str, config: Config, netns_number: str = "", observers: QueueObservers | None = None
    ) -> None:
        """Take the label of the namespace, and its number where rules may match it by that as well."""
        self.states: dict[ListenerGroup, ListenerState] = {}
        self.accept_timelines = {family: SampleTimeline() for family in FAMILIES}
        self.syn_recv_timeline = SampleTimeline()
        self.sockets_version = 0
        self.mptcp = MptcpSockets()
        self._registries = {family: ListenerRegistry(netns, family.protocol) for family in FAMILIES}
        self._observers = observers or QueueObservers(config)
        self._folded = FoldedListeners(config, self._new_state, self._observers.note_folded, netns_number)
        self._rules = RuleSet(config, netns_number)
        self._owners = SocketOwners(config.labels, self.mptcp)
        self._peak_window = config.sampling.peak_window_seconds
        self._syn_queue_bound = SynQueueBound(BEYOND_BACKLOG)
        self._nonempty = NonemptyQueues()
        self._with_syn_recv: set[ListenerState] = set()
        self._matcher: Matcher | None = None
        self._expire_at = 0.0

    def update(self, family: SocketFamily, changes: Changes, now: float) -> None:
        """Take what a sample of a family's listeners found changed."""
        if changes is not UNCHANGED:
            self._apply(family, changes, now)
            self._folded.observe()
        if changes is not UNCHANGED or now >= self._expire_at:
            self._expire_at = now + _EXPIRE_SECONDS
            self._expire(now)

    def published(self, now: float) -> list[ListenerState]:
        """Return the listeners that have series."""
        self._folded.fold_waiting(now)
        return [state for state in (*self.states.values(), *self._folded.states) if state.published(now)]

    def nonempty(self, family: SocketFamily) -> Collection[ListenerGroup]:
        """Return the groups of a family in whose accept queues connections wait."""
        return self._nonempty.of(family)

    def seen_empty_at(self, group: ListenerGroup) -> float:
        """Return when a sample found the accept queue of a group empty last, in monotonic seconds; else 0."""
        family = family_of(group.key.protocol)
        return self._nonempty.seen_empty_at(group, self.accept_timelines[family].newest)

    def waiting(self) -> list[ListenerGroup]:
        """Return the groups in whose queues there are connections; one may be there twice."""
        return self._nonempty.of_all() + [state.group for state in self._with_syn_recv]

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

    def set_syn_recv(
        self, counts: Mapping[ListenerGroup, int], unknown: Collection[ListenerGroup] = ()
    ) -> None:
        """Take the half-open connections of each group; groups that are left out have none.

        Of the groups in `unknown` it is not known how many they have.
        """
        by_state = folded_figures.syn_recv(self.states, counts, unknown)
        for state in self._with_syn_recv | by_state.keys():
            state.observe_syn_recv(by_state.get(state, 0))
            self._observers.note_syn_recv(state)
        self._with_syn_recv = set(by_state)

    def set_oldest_waits(
        self, asked: Collection[ListenerGroup], seconds: Mapping[ListenerGroup, float]
    ) -> None:
        """Take how long the oldest connection of each group has waited; it is not known of the others."""
        for state, waited in folded_figures.oldest_waits(self.states, asked, seconds).items():
            state.observe_oldest_wait(waited)

    def set_sysctls(self, sysctls: Sysctls) -> None:
        """Take the settings of the namespace, as far as they limit half-open connections."""
        bound = SynQueueBound(BEYOND_BACKLOG, sysctls.max_syn_recv())
        if bound != self._syn_queue_bound:
            self._syn_queue_bound = bound
            for state in (*self.states.values(), *self._folded.states):
                state.set_syn_queue_bound(bound)

    def set_owners(self, group: ListenerGroup, owners: Mapping[int, SocketOwner], now: float) -> None:
        """Take the owners of a group's sockets, by their cookies.

        Each program in one place is a listener of its own, which has its own histories.
        """
        self._owners.take({cookie: owners[cookie] for cookie in owners.keys() & group.members.keys()})
        self._assign(group, now)

    def configure(self, config: Config, now: float) -> None:
        """Apply the rules of another configuration; histories go on."""
        self._owners.set_labels(config.labels)
        self._rules.configure(config)
        self._peak_window = config.sampling.peak_window_seconds
        self._folded.configure(config)
        # Which labels there are decides whether programs in one place are told apart.
        for group in [group for group in self.states if group.members]:
            self._assign(group, now)
        # Those without an owner last: they may belong to a folded listener that has one.
        for state in sorted(
            self.states.values(), key=lambda state: not (state.owner and state.owner.process)
        ):
            state.apply_rules(self._rules, self._peak_window)
            self._folded.place(state)
        self._folded.observe()

    def close_all(self, now: float) -> None:
        """Note that the namespace is gone, and with it every socket."""
        for family, registry in self._registries.items():
            self.update(family, Changes(closed=tuple(each.cookie for each, _ in registry.listeners())), now)

    def reopen(self, config: Config, netns_number: str, now: float) -> None:
        """Take the configuration, and the number of another namespace with this label."""
        self._rules.set_netns_number(netns_number)
        self._folded.set_netns_number(netns_number)
        self.configure(config, now)

    def listeners(self) -> list[Listener]:
        """Return every listening socket."""
        return [listener for registry in self._registries.values() for listener, _ in registry.listeners()]

    def _apply(self, family: SocketFamily, changes: Changes, now: float) -> None:
        before = self.accept_timelines[family].previous
        if changes.opened or changes.closed:
            self.sockets_version += 1
            self._matcher = None
            self._owners.forget(changes.closed)
        changed = self._registries[family].apply(changes, now)
        for group in changed:
            state = self.states.get(group)
            if state is None:
                state = self._add(group)
                self._folded.place(state)
            else:
                self._folded.update(state)
            self._observe(state, before)
        if changes.opened or changes.closed:
            for key in {group.key for group in changed}:
                self._tell_apart(key)

    def _assign(self, group: ListenerGroup, now: float) -> None:
        before, registry = group.key, self._registries[family_of(group.key.protocol)]
        changed = registry.assign(group, self._owners.identities(group), now)
        if len(changed) > 1:
            self._matcher = None
            self._take_moved(changed, now)
        for each in changed:
            if each.members:
                self._take_owners(each, renamed=each.key != before)
        for key in dict.fromkeys((before, *(each.key for each in changed))):
            self._tell_apart(key)

    def _take_moved(self, groups: Sequence[ListenerGroup], now: float) -> None:
        """Take that sockets moved from the first of these groups to the others."""
        empty_at = self._nonempty.seen_empty_at(groups[0], now)
        for group in groups:
            state = self.states.get(group) or self._add(group)
            self._folded.update(state)
            self._observe(state, empty_at)
            if not group.members and not group.program:
                self._remove(state)

    def _observe(self, state: ListenerState, empty_at: float) -> None:
        state.observe_accept()
        self._observers.note_accept(state)
        self._nonempty.note(state.group, empty_at)

    def _take_owners(self, group: ListenerGroup, *, renamed: bool) -> None:
        known, state = self._owners.of(group), self.states[group]
        before = GroupOwners(state.owners, state.mptcp, state.stale_path)
        if known is not None and (renamed or known != before):
            state.set_owners(known.owners, mptcp=known.mptcp, stale_path=known.stale_path)
            state.apply_rules(self._rules, self._peak_window)
            self._folded.place(state)

    def _tell_apart(self, key: ListenerKey) -> None:
        registry = self._registries[family_of(key.protocol)]
        self._owners.tell_apart([self.states[group] for group in registry.present(key)])

    def _expire(self, now: float) -> None:
        for registry in self._registries.values():
            for group in registry.expire(now):
                self._remove(self.states[group])
        self._folded.fold_waiting(now)
        self._with_syn_recv.difference_update(self._folded.expire(now))

    def _add(self, group: ListenerGroup) -> ListenerState:
        state = self.states[group] = self._new_state(group)
        state.apply_rules(self._rules, self._peak_window)
        return state

    def _new_state(self, group: ListenerGroup) -> ListenerState:
        family = family_of(group.key.protocol)
        syn_recv = self.syn_recv_timeline if family.has_syn_queue else None
        state = ListenerState(group, self.accept_timelines[family], syn_recv, self._peak_window)
        state.set_syn_queue_bound(self._syn_queue_bound)
        state.observe_syn_recv(0)
        return state

    def _remove(self, state: ListenerState) -> None:
        self._folded.remove(state)
        if state in self._with_syn_recv:
            self._with_syn_recv.discard(state)
            state.observe_syn_recv(None)
            self._observers.note_syn_recv(state)
        del self.states[state.group]
