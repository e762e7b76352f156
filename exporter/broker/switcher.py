"""Entering a network namespace, opening a socket and files in it, and going back.

A socket, and a file below /proc/net or /proc/sys/net, belongs for good to the namespace in which it was
opened. Source: setns(2), netlink(7), fs/proc/proc_net.c.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from typing import Final

from exporter import proc
from exporter.broker.wire import NamespaceTarget

RUN_NETNS: Final = b"/run/netns/"
# The exit status of a process that could not go back to its own namespace.
NOT_RESTORED: Final = 3
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET: Final = 0x40000000
_NETLINK_SOCK_DIAG: Final = 4


class NamespaceSwitcher:
    """Changes the network namespace of this process, which has one thread."""

    def __init__(self) -> None:
        """Open the namespace of this process. Raises OSError."""
        self._original = proc.open_file("/proc/self/ns/net")
        self._switched = False

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Go back to the original namespace at the end, also after an error.

        A process that cannot go back ends at once: it would answer for the wrong namespace.
        """
        try:
            yield
        finally:
            self._restore()

    def enter(self, target: NamespaceTarget) -> None:
        """Enter a namespace, from whichever this process is in. Raises OSError; then nothing has changed."""
        descriptor = _open_name(target.name) if target.name else _open_process(target.pid, target.started)
        try:
            _setns(descriptor)
            self._switched = True
        finally:
            os.close(descriptor)

    def _restore(self) -> None:
        # Without a capability no namespace was entered, and setns() would be refused here as well.
        if self._switched:
            try:
                _setns(self._original)
            except OSError:
                os._exit(NOT_RESTORED)
            self._switched = False


def open_here(files: Collection[str]) -> tuple[list[str], list[int]]:
    """Open a sock_diag socket, and those of these files of /proc that may be read, in this namespace.

    Returns the files that were opened, and the descriptors, the socket's first. The socket is bound and not
    connected, so the process that gets it has to refuse datagrams of others than the kernel, and to count
    those that came before. Raises OSError.
    """
    descriptors = [_open_socket()]
    opened = []
    try:
        for name in files:
            # This process has one thread, so /proc/net shows the namespace that it is in.
            with suppress(FileNotFoundError, PermissionError):
                descriptors.append(proc.open_file(f"/proc/{name}"))
                opened.append(name)
    except OSError:
        for descriptor in descriptors:
            os.close(descriptor)
        raise
    return opened, descriptors


def _open_socket() -> int:
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
    ) as channel:
        channel.bind((0, 0))
        return channel.detach()


def _open_process(pid: int, started: int) -> int:
    """Return a pidfd, which refers to this process also when its number has been given to another."""
    descriptor = os.pidfd_open(pid)
    try:
        if started and _start_ticks(pid) != started:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _start_ticks(pid: int) -> int:
    try:
        return proc.start_ticks(proc.read_file(f"/proc/{pid}/stat"))
    except ValueError as error:
        raise OSError(errno.EIO, os.strerror(errno.EIO)) from error


def _open_name(name: bytes) -> int:
    # What lies there may be a link to anywhere, or a FIFO that nobody writes to.
    return os.open(RUN_NETNS + name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)


def _setns(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
