"""Which of the processes that own sockets have ended, have got another name, or have closed them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from exporter.kernel.processes.process import Process, ProcessTable

# Whether a process exists is one system call.
_EXISTS_SECONDS: Final = 2.0
# Whether it is the same one, what it is called, and whether it still holds its sockets takes reading files:
# soon after it was found, since many programs name themselves after they have opened their sockets, or leave
# them to a child, and seldom later.
_FIRST_READ_SECONDS: Final = 2.0
_READ_SECONDS: Final = 20.0


@dataclass(slots=True)
class _Watched:
    """A process with the inodes of its sockets, and when it is looked at again."""

    process: Process
    inodes: frozenset[int]
    name_at: float
    sockets_at: float


class OwnerWatch:
    """Looks at the processes that own sockets, some of them a step."""

    def __init__(self, processes: ProcessTable, holds_for_others: Callable[[Process], bool]) -> None:
        """Take the processes of the host, and what tells which hold sockets for others.

        None is watched yet.
        """
        self._processes = processes
        self._holds_for_others = holds_for_others
        # A process that has become another program may have been read as either.
        self._watched: dict[Process, _Watched] = {}
        self._due = 0.0

    def set_owners(self, owners: Mapping[Process, Collection[int]], now: float) -> None:
        """Set which processes are watched, as they were read, and the inodes of their sockets."""
        same = {(process.pid, process.started): each for process, each in self._watched.items()}
        watched = {}
        for process, inodes in owners.items():
            # One that has another name now is looked at no sooner.
            known = self._watched.get(process) or same.get((process.pid, process.started))
            name_at = sockets_at = now + _FIRST_READ_SECONDS
            if known is not None:
                name_at = known.name_at
                # What it got meanwhile it may leave to a child soon.
                sockets_at = known.sockets_at if known.inodes.issuperset(inodes) else sockets_at
            watched[process] = _Watched(process, frozenset(inodes), name_at, sockets_at)
        self._watched = watched

    def due(self, now: float) -> bool:
        """Tell whether it is time to look again (`now` is in monotonic seconds)."""
        return bool(self._watched) and now >= self._due

    def changed(self, now: float) -> Iterator[int | None]:
        """Yield the number of each process that is no longer as it was read, and None after other steps.

        Raises KernelError.
        """
        self._due = now + _EXISTS_SECONDS
        for watched in list(self._watched.values()):
            pid = watched.process.pid
            if not self._processes.exists(pid):
                yield pid
                continue
            if now >= watched.name_at:
                same = self._is_same(watched, now)
                yield None if same else pid
                if not same:
                    continue
            if now >= watched.sockets_at:
                watched.sockets_at = _next_read(pid, now)
                yield from self._closed(watched)

    def _closed(self, watched: _Watched) -> Iterator[int | None]:
        """Yield the number of a process that has closed one of its sockets, and None after other steps."""
        left = watched.inodes
        for sockets in self._processes.sockets(watched.process.pid):
            left = frozenset() if sockets.denied else left - sockets.inodes
            yield None
            if not left:
                return
        yield watched.process.pid

    def _is_same(self, watched: _Watched, now: float) -> bool:
        """Tell whether a process is the one that was read, and has the name that it had."""
        process = watched.process
        # One that holds a socket may become the program that it holds it for.
        often = self._holds_for_others(process)
        watched.name_at = now + _EXISTS_SECONDS if often else _next_read(process.pid, now)
        stat = self._processes.stat(process.pid)
        return stat is not None and (stat.started, stat.name) == (process.started, process.name)


def _next_read(pid: int, now: float) -> float:
    """Return when a process is read again: not all that were found together at one time."""
    return now + _READ_SECONDS - (now - pid) % _READ_SECONDS
