"""Unix sockets that listen, with what the kernel tells of their files."""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from exporter.broker.socket_file import BoundSocket, HeldSocket
from testbed import syscalls
from testbed.forked_process import ForkedProcess
from testbed.waiting import equals, until

_NETLINK_SOCK_DIAG = 4
_SHOW_VFS = 2
_VFS = 1
_MINOR_BITS = 20


def bound_socket(listening: socket.socket) -> BoundSocket:
    """Return what the kernel tells of a socket's file: by sock_diag, not by stat()."""
    inode = os.fstat(listening.fileno()).st_ino
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _NETLINK_SOCK_DIAG) as diag:
        query = struct.pack("=BBHIIIQ", socket.AF_UNIX, 0, 0, 1 << 10, inode, _SHOW_VFS, 2**64 - 1)
        diag.send(struct.pack("=IHHII", 16 + len(query), 20, 1, 1, 0) + query)
        reply = diag.recv(8192)
    at = 32
    while at < len(reply):
        length, kind = struct.unpack_from("=HH", reply, at)
        if kind == _VFS:
            file_inode, device = struct.unpack_from("=II", reply, at + 4)
            name = os.fsencode(listening.getsockname())
            device_number = os.makedev(device >> _MINOR_BITS, device & ((1 << _MINOR_BITS) - 1))
            return BoundSocket(name, device_number, file_inode)
        at += (length + 3) & ~3
    raise AssertionError("the socket has no file")


@dataclass(frozen=True, slots=True)
class Holder:
    """A process that holds a socket which listens."""

    pid: int
    started: int
    bound: BoundSocket

    @property
    def held(self) -> HeldSocket:
        """The socket and its process, as the file broker is asked about it."""
        return HeldSocket(self.pid, self.started, self.bound)


class Holding:
    """A process that binds a socket to `path` after `prepare`, and holds it for as long as `with` lasts.

    A `path` that depends on the process is made there. `afterwards` is called once the socket listens. With
    `leaderless` the first thread ends after that, and another one lives.
    """

    def __init__(
        self,
        path: str | Callable[[], str],
        prepare: Callable[[], object] = lambda: None,
        afterwards: Callable[[], object] = lambda: None,
        *,
        leaderless: bool = False,
    ) -> None:
        def hold(sender: int) -> None:
            syscalls.die_with_parent()
            prepare()
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(path if isinstance(path, str) else path())
                listening.listen()
                found = bound_socket(listening)
                afterwards()
                os.write(sender, struct.pack("=QQ", found.device, found.inode) + found.path)
                if leaderless:
                    end_first_thread()
                while True:
                    signal.pause()

        self._process = ForkedProcess(hold)
        message = self._process.report
        assert message, "the socket could not be bound"
        device, inode = struct.unpack_from("=QQ", message)
        pid = self._process.pid
        if leaderless:
            until_first_thread_has_ended(pid)
        self._holder = Holder(pid, start_ticks(pid), BoundSocket(message[16:], device, inode))

    def __enter__(self) -> Holder:
        return self._holder

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # A test that gave up its rights leaves it to the end of its namespace.
        with suppress(PermissionError):
            self._process.end()


def end_first_thread() -> None:
    """End the calling thread, which is the first one of its process; another lives until that is killed."""
    threading.Thread(target=signal.pause).start()
    ctypes.CDLL(None).pthread_exit(None)


def until_first_thread_has_ended(pid: int) -> None:
    """Wait for that."""
    until(lambda: Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0], equals("Z"))


def start_ticks(pid: int | str) -> int:
    """Return when a process started, in clock ticks since boot."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19])
