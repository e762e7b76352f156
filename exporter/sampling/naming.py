"""Giving listeners the names of their owners, a little at a time."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence

from exporter.kernel.errors import UnavailableError
from exporter.listeners.owners import Owners
from exporter.sampling.listener import WatchedListener
from exporter.sampling.namespace import NamespaceSampler
from exporter.sampling.source import Source

# How long one look at the processes may keep the other sources waiting.
_STEP_SECONDS = 0.01


class Naming:
    """Looks for the owners of sockets that are new, in every namespace, as one source."""

    def __init__(self, namespaces: Sequence[NamespaceSampler], interval: float, lock: threading.Lock) -> None:
        """Set up; nothing is looked for yet. `interval` is how soon a new socket is noticed, in seconds."""
        self._namespaces = namespaces
        self._lock = lock
        self._owners = Owners()
        self._hurry = True
        self.source = Source("owners", "host", interval, self._take, self._pending)

    def without_owner(self) -> int:
        """Count the sockets whose owner may not be seen."""
        return self._owners.unseen()

    def _pending(self, now: float) -> bool:
        if any(namespace.sockets_changed for namespace in self._namespaces):
            inodes: set[int] = set()
            for namespace in self._namespaces:
                namespace.sockets_changed = False
                inodes |= namespace.inodes()
            self._owners.want(inodes, now)
            if not self._owners.pending(now):
                self._hand_out()
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
            if self._owners.blind:
                raise UnavailableError("the owners of some sockets belong to other users", "EACCES")

    def _hand_out(self) -> None:
        with self._lock:
            for namespace in self._namespaces:
                mptcp = namespace.namespace.mptcp_inodes()
                for watched in list(namespace.watched.values()):
                    if watched.group.members:
                        self._name(namespace, watched, mptcp)

    def _name(self, namespace: NamespaceSampler, watched: WatchedListener, mptcp: frozenset[int]) -> None:
        owner = self._owners.of(watched.group)
        before = watched.owner
        if before is not None and before.process and owner.process not in ("", before.process):
            watched = namespace.replace(watched)
        watched.mptcp = any(member.listener.inode in mptcp for member in watched.group.members.values())
        if owner != before:
            watched.owner = owner
            namespace.judge(watched)
