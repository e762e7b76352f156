"""Whether the processes of others can be seen, and what keeps them from being seen."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from exporter.kernel.errors import UnavailableError
from exporter.kernel.processes.process import ProcessTable
from exporter.owners.socket_holders import INIT_PID

_WHAT: Final = "the processes of some sockets cannot be seen"


class Visibility:
    """What keeps processes from being seen, as searches of all of them have found.

    `unreadable_count` is how many did not let their sockets be read in the last search.
    """

    def __init__(self, processes: ProcessTable) -> None:
        """Take the processes; nothing is read yet."""
        self.unreadable_count = 0
        self._processes = processes
        self._obstacle: UnavailableError | None = None
        # The sockets that the last search missed (None before the first), and those that count.
        self._missed: set[int] | None = None
        self._unseen: set[int] = set()

    def note(self, pids: Collection[int], unreadable: int, missed: set[int]) -> None:
        """Take what a search of all processes has found: which there are, and how many it could not read.

        `missed` are the sockets whose owners no search has found. Raises KernelError.
        """
        self.unreadable_count = unreadable
        self._obstacle = _obstacle(self._processes, pids, unreadable)
        self._unseen = missed if self._missed is None else missed & self._missed
        self._missed = missed

    @property
    def sees_all(self) -> bool:
        """Whether nothing keeps any process from being seen, as far as is known."""
        return self._obstacle is None

    def obstacle(self, missed: set[int]) -> UnavailableError | None:
        """Return why the owners of these sockets were not found; None where there is no reason.

        A socket counts once two searches have missed it, or the first of all: one that was closed before the
        search, with its process, may be among the listeners until they are sampled again.
        """
        return self._obstacle if self._unseen & missed else None


def _obstacle(processes: ProcessTable, pids: Collection[int], denied: int) -> UnavailableError | None:
    """Return why a search of all processes could not see each of them; None where it could.

    A process that protects itself from one with every capability that helps is no obstacle.
    """
    if INIT_PID not in pids:
        # Nothing is denied there: procfs does not show them at all.
        return UnavailableError(
            f"{_WHAT}, since /proc hides those of other users (mount option hidepid)", "hidepid"
        )
    if denied and not processes.may_see_sockets:
        return UnavailableError(
            f"{_WHAT} without CAP_SYS_PTRACE and CAP_DAC_READ_SEARCH, which other users' processes need",
            "capabilities",
        )
    if not processes.has_all():
        return UnavailableError(
            f"{_WHAT}, since the exporter has a PID namespace of its own (docker run --pid=host, hostPID)",
            "pid_namespace",
        )
    return None
