"""Giving listeners the names of their owners, a little at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from exporter.kernel.errors import KernelError, UnavailableError
from exporter.owners.search import OwnerSearch
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.namespace import NamespaceSampler
from exporter.sampling.source import Source

# How long one look at the processes may keep the other sources waiting.
_STEP_SECONDS = 0.01
# Where namespaces come and go all the time, this many times what it takes to collect their sockets
# passes before they are collected again.
_COLLECT_PAUSE = 50


class OwnerResolver:
    """Looks for the owners of sockets that are new, in every namespace, as one source."""

    def __init__(
        self,
        namespaces: Sequence[NamespaceSampler],
        interval: float,
        lock: threading.Lock,
        owners: OwnerSearch | None = None,
    ) -> None:
        """Set up; nothing is looked for yet. `interval` is how soon a new socket is noticed, in seconds.

        Namespaces may come to `namespaces` and leave it at any time.
        """
        self._namespaces = namespaces
        self._lock = lock
        self._owners = OwnerSearch() if owners is None else owners
        self._hurry = True
        self._collect_at = float("-inf")
        # Where somebody's name is not the last word yet: on a host with many namespaces most are settled.
        self._unsettled: set[NamespaceSampler] = set()
        self._present: tuple[NamespaceSampler, ...] = ()
        # A socket is MPTCP's all its life, so a namespace is asked only after its sockets changed.
        self._mptcp: dict[NamespaceSampler, frozenset[int]] = {}
        self._mptcp_stale: set[NamespaceSampler] = set()
        self.source = Source("owners", "host", interval, self._take, self._pending)

    def without_owner(self) -> int:
        """Count the sockets whose owner may not be seen."""
        return self._owners.count_without_owner()

    def request_soon(self) -> None:
        """Be asked in the next beat, however slow the budget has made this source: a namespace came.

        Its listeners wait for their names a second at most (`ListenerState.shown`).
        """
        self.source.set_interval(self.source.interval)

    def _pending(self, now: float) -> bool:
        present = tuple(self._namespaces)
        changed = [namespace for namespace in present if namespace.sockets_changed]
        if (changed or present != self._present) and now >= self._collect_at:
            started = time.perf_counter()
            self._present = present
            sockets: dict[int, int] = {}
            for namespace in changed:
                namespace.sockets_changed = False
                self._mptcp_stale.add(namespace)
                self._unsettled.add(namespace)
            for namespace in present:
                sockets |= namespace.inodes()
            self._owners.set_sockets(sockets, now)
            if not self._owners.pending(now):
                self._hand_out()
            self._collect_at = now + _COLLECT_PAUSE * (time.perf_counter() - started)
        pending = self._owners.pending(now)
        self._hurry = self._hurry and pending
        return pending

    def _take(self, now: float) -> None:
        """Look on for a moment; the very first look goes on to its end, so the first page has names."""
        until = time.perf_counter() + _STEP_SECONDS
        hurry = self._hurry
        self._hurry = False
        self.source.clock.tick(now, self.source.interval_in_force)
        if self._owners.step(now, lambda: not hurry and time.perf_counter() > until):
            self._hand_out()
        if self._owners.access_denied:
            raise UnavailableError("the owners of some sockets belong to other users", "EACCES")

    def _hand_out(self) -> None:
        self._ask_mptcp(self._present)
        unsettled, self._unsettled = self._unsettled.intersection(self._present), self._mptcp_stale.copy()
        with self._lock:
            for namespace in unsettled:
                mptcp = self._mptcp.get(namespace, frozenset())
                for state in [each for each in namespace.states.values() if each.group.members]:
                    # Who was not looked for yet keeps the name it has, or waits for its first.
                    if self._owners.searched(state.group):
                        self._name(namespace, state, mptcp)
                    if not self._owners.final(state.group):
                        self._unsettled.add(namespace)

    def _ask_mptcp(self, present: Sequence[NamespaceSampler]) -> None:
        """Ask which sockets are MPTCP's. A namespace that cannot tell keeps what it told before."""
        here = set(present)
        self._mptcp = {namespace: known for namespace, known in self._mptcp.items() if namespace in here}
        stale, self._mptcp_stale = self._mptcp_stale & here, set()
        for namespace in stale:
            try:
                self._mptcp[namespace] = namespace.namespace.mptcp_inodes()
            except KernelError as error:
                # Its own sources fail as well, and say so; owners are found without it.
                self.source.errors[error.reason] += 1
                self._mptcp_stale.add(namespace)

    def _name(self, namespace: NamespaceSampler, state: ListenerState, mptcp: frozenset[int]) -> None:
        owner = self._owners.owner_of(state.group)
        before = state.owner
        if before is not None and before.process and owner.process not in ("", before.process):
            state = namespace.replace(state)
        is_mptcp = any(member.listener.inode in mptcp for member in state.group.members.values())
        if owner != state.owner or is_mptcp is not state.mptcp:
            state.mptcp = is_mptcp
            state.owner = owner
            namespace.judge(state)
