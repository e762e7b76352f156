"""Files of processes whose reading may hang. No method of this module is for the sampling thread.

What is asked of a process that has ended meanwhile, or that may not be looked at, is empty or unknown; it is
never answered for another process that got its number.
"""

from __future__ import annotations

import errno
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Final, Protocol

from exporter.broker.file_wire import MAX_SOCKETS
from exporter.broker.process_files import (
    MAX_ARGUMENTS_BYTES,
    VIEW_LINKS,
    FileContent,
    ProcessFile,
    ProcessFileReader,
)
from exporter.broker.socket_file import BoundSocket, HeldSocket, SocketFile, SocketFileState, find_socket
from exporter.kernel.errors import KernelError, from_os_error
from exporter.kernel.processes.file_broker import FileBrokerClient

__all__ = [
    "VIEW_LINKS",
    "BoundSocket",
    "BrokeredProcessFiles",
    "DirectProcessFiles",
    "HeldSocket",
    "ProcessFiles",
    "ProcessView",
    "SocketFile",
    "SocketFileState",
    "UserDatabase",
]

# A process that has ended or hides itself, and a file that is missing or none to be read.
_NOT_TOLD: Final = frozenset(
    {
        errno.ESRCH,
        errno.EACCES,
        errno.EPERM,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ELOOP,
        errno.EINVAL,
        errno.EFBIG,
    }
)


@dataclass(frozen=True, slots=True)
class ProcessView:
    """What a process sees the host by, as links say: in the order of VIEW_LINKS."""

    root: bytes
    mount_namespace: bytes
    user_namespace: bytes


@dataclass(frozen=True, slots=True)
class UserDatabase:
    """The file etc/passwd below the root of a process; `device` and `inode` tell it from others (stat(2))."""

    content: bytes
    device: int
    inode: int


class ProcessFiles(Protocol):
    """Reads files of the process that started at `started`, in clock ticks. Each method raises KernelError.

    It is an AccessHungError where a file server does not answer. At most `max_sockets` are looked for by one
    call.
    """

    max_sockets: ClassVar[int]

    def arguments(self, pid: int, started: int) -> tuple[bytes, ...]:
        """Return the arguments of a process, its name first; none where they cannot be read.

        Arguments that do not lie within the first 256 KiB are left out.
        """
        ...

    def view(self, pid: int, started: int) -> ProcessView | None:
        """Return what a process sees the host by, None where that cannot be read."""
        ...

    def uid_map(self, pid: int, started: int) -> bytes:
        """Return how the user namespace of a process maps users (user_namespaces(7))."""
        ...

    def passwd(self, pid: int, started: int) -> UserDatabase | None:
        """Return the users below the root of a process, None where there is no such file that can be used."""
        ...

    def find_sockets(self, held: Sequence[HeldSocket]) -> Sequence[SocketFile | KernelError]:
        """Return where the files of the first of these sockets lie, at least of one, in their order."""
        ...


class _ReadProcessFiles(ABC):
    """ProcessFiles by the two methods that a subclass defines, which raise OSError or KernelError."""

    @abstractmethod
    def _read(self, pid: int, started: int, file: ProcessFile) -> FileContent:
        """Read a file of a process, whole."""

    @abstractmethod
    def find_sockets(self, held: Sequence[HeldSocket]) -> Sequence[SocketFile | KernelError]:
        """Return where the files of the first of these sockets lie, at least of one, in their order."""

    def arguments(self, pid: int, started: int) -> tuple[bytes, ...]:
        """Return the arguments of a process, its name first; none where they cannot be read."""
        found = self._told(pid, started, ProcessFile.CMDLINE)
        if found is None or not found.content:
            return ()
        arguments = found.content.removesuffix(b"\0").split(b"\0")
        # The last one may have been cut.
        cut = len(found.content) >= MAX_ARGUMENTS_BYTES and len(arguments) > 1
        return tuple(arguments[:-1] if cut else arguments)

    def view(self, pid: int, started: int) -> ProcessView | None:
        """Return what a process sees the host by, None where that cannot be read."""
        found = self._told(pid, started, ProcessFile.VIEW)
        return None if found is None else ProcessView(*found.content.split(b"\0"))

    def uid_map(self, pid: int, started: int) -> bytes:
        """Return how the user namespace of a process maps users."""
        found = self._told(pid, started, ProcessFile.UID_MAP)
        return b"" if found is None else found.content

    def passwd(self, pid: int, started: int) -> UserDatabase | None:
        """Return the users below the root of a process, None where there is no such file that can be used."""
        found = self._told(pid, started, ProcessFile.PASSWD)
        return None if found is None else UserDatabase(found.content, found.device, found.inode)

    def _told(self, pid: int, started: int, file: ProcessFile) -> FileContent | None:
        try:
            return self._read(pid, started, file)
        except OSError as error:
            if error.errno not in _NOT_TOLD:
                raise from_os_error(f"cannot read {file.name} of process {pid}", error) from error
        return None


class DirectProcessFiles(_ReadProcessFiles):
    """Reads them in the calling thread, which waits for as long as a file server takes."""

    # It is known which one a thread waits for.
    max_sockets: ClassVar[int] = 1

    def __init__(self, reader: ProcessFileReader | None = None) -> None:
        self._reader = ProcessFileReader() if reader is None else reader

    def _read(self, pid: int, started: int, file: ProcessFile) -> FileContent:
        return self._reader.read(pid, started, file)

    def find_sockets(self, held: Sequence[HeldSocket]) -> Sequence[SocketFile]:
        """Return where the file of the first of these sockets lies."""
        return [find_socket(self._reader, held[0])]


class BrokeredProcessFiles(_ReadProcessFiles):
    """Reads them by the file broker, which gives up after some seconds."""

    max_sockets: ClassVar[int] = MAX_SOCKETS

    def __init__(self, client: FileBrokerClient) -> None:
        self._client = client

    def _read(self, pid: int, started: int, file: ProcessFile) -> FileContent:
        return self._client.read(pid, started, file)

    def find_sockets(self, held: Sequence[HeldSocket]) -> Sequence[SocketFile | KernelError]:
        """Return where the files of the first of these sockets lie, at least of one, in their order."""
        return self._client.find_sockets(held)
