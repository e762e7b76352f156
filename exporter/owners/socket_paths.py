"""Where the files of unix sockets lie, as the processes that hold the sockets see them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

from exporter.kernel.processes.files import BoundSocket, HeldSocket, SocketFile, SocketFileState
from exporter.kernel.processes.process import Process
from exporter.kernel.records import FileId, Listener
from exporter.kernel.text import unix_address
from exporter.owners.lookups import Lookups

# A file may be removed, replaced or renamed at any time.
MAX_AGE_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class SocketPath:
    """`address` is where the socket is found now, empty where that is where it was bound.

    `stale` tells whether the path that it was bound to leads to another file, or to none.
    """

    address: str = ""
    stale: bool = False


AS_BOUND: Final = SocketPath()


SocketFiles = Lookups[HeldSocket, SocketFile]


class SocketPaths:
    """Tells the paths of unix sockets that have a file."""

    def __init__(self, files: SocketFiles) -> None:
        self._files = files

    @property
    def version(self) -> int:
        """A number that grows when a path may be another one than before."""
        return self._files.version

    @property
    def hung(self) -> int:
        """How many lookups hung."""
        return self._files.hung

    def path(self, listener: Listener, process: Process) -> SocketPath:
        """Return the path of a socket as it is known now."""
        key = _key(listener, process)
        found = self._files.answer(key) if key is not None else None
        if found is None or found.state is SocketFileState.UNKNOWN:
            return AS_BOUND
        stale = found.state is SocketFileState.STALE
        address = unix_address(found.path) if found.path else ""
        return SocketPath("" if address == listener.address else address, stale)

    def settled(self, listener: Listener, process: Process) -> bool:
        """Tell whether the path is known, or not worth waiting for."""
        key = _key(listener, process)
        return key is None or self._files.settled(key)

    def poll(self) -> None:
        """Look after lookups that take too long."""
        self._files.poll()

    def retain(self, held: Collection[tuple[Listener, Process]]) -> None:
        """Forget all other sockets."""
        self._files.retain({key for each in held if (key := _key(*each)) is not None})


def _key(listener: Listener, process: Process) -> HeldSocket | None:
    if not isinstance(listener.bound_to, FileId) or not listener.path:
        return None
    bound = BoundSocket(listener.path, listener.bound_to.device, listener.bound_to.inode)
    return HeldSocket(process.pid, process.started, bound)
