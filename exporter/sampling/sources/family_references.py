"""The references of the listeners of one address family, as the kernel lists them in one file."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, Protocol

from exporter.listeners.group import ListenerGroup
from exporter.sampling.clock import Clock
from exporter.sampling.sources.listener_references import ListenerReferences, RefCounts, SynRecvByReferences
from exporter.sampling.walk_limit import CostEstimate

_NOTHING: Final = SynRecvByReferences({}, frozenset(), 0, proven=True)


class ReferenceReader(Protocol):
    """Reads the reference counts of listeners (exporter.kernel.procfs.refcount)."""

    def read(self, family: int, count: int) -> RefCounts:
        """Return them by inode, for so many listeners of an address family. Raises KernelError."""


class FamilyReferences:
    """The listeners of one address family in one namespace, and what their references told last.

    `groups` are the listeners, `held` the references and `counts` what they tell. `cost` is what it takes to
    read them.
    """

    def __init__(self, number: int, reader: ReferenceReader, clock: Clock) -> None:
        """Take the number of the address family; nothing is read yet."""
        self.groups: Collection[ListenerGroup] = ()
        self.held: RefCounts = {}
        self.counts = _NOTHING
        self.cost = CostEstimate()
        self._number = number
        self._reader = reader
        self._clock = clock
        self._sockets = 0
        # What `counts` was made from, None where it has to be made again.
        self._made_from: tuple[RefCounts, int] | None = None

    def take(self, groups: Collection[ListenerGroup], sockets: int) -> None:
        """Take other listeners, with so many sockets in all."""
        self.groups = groups
        self._sockets = sockets
        self._made_from = None

    def read(self, now: float, references: ListenerReferences) -> float:
        """Read the references, and what they tell; return the processor time in seconds. Raises KernelError.

        `now` is in monotonic seconds.
        """
        started = self._clock.cpu()
        self.held = self._reader.read(self._number, self._sockets)
        seconds = self._clock.cpu() - started
        self.cost.measured(seconds, now)
        made_from = self._made_from
        if made_from is None or made_from[0] is not self.held or made_from[1] != references.version:
            self.counts = references.count(self.groups, self.held, now)
            self._made_from = self.held, references.version
        return seconds
