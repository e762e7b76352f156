"""Going into a network namespace, opening things there, and coming home.

A socket, and a file below /proc/net or /proc/sys/net, belongs for life to the namespace in which it
was opened. Source: setns(2), netlink(7), fs/proc/proc_net.c.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

from exporter.broker.wire import NAMESPACE_FILES, NamespaceTarget

RUN_NETNS: Final = b"/run/netns/"
_LIBC: Final = ctypes.CDLL(None, use_errno=True)
_CLONE_NEWNET: Final = 0x40000000
_NETLINK_SOCK_DIAG: Final = 4
_STARTED: Final = 19
# What the exit status says of a process that was lost in a foreign namespace.
LOST: Final = 3


class NamespaceSwitcher:
    """The way in and out, for the one thread of this process."""

    def __init__(self) -> None:
        """Remember where home is. Raises OSError."""
        self._original = os.open("/proc/self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        self._switched = False

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Come home at the end, whatever happened. Who cannot come home ends here and now."""
        try:
            yield
        finally:
            self._restore()

    def enter(self, target: NamespaceTarget) -> None:
        """Go into a namespace, from home or from another. Raises OSError; then nothing has moved."""
        descriptor = _by_name(target.name) if target.name else _by_process(target.pid, target.started)
        try:
            _setns(descriptor)
            self._switched = True
        finally:
            os.close(descriptor)

    def _restore(self) -> None:
        # Who was let in nowhere, for want of a capability, would not be let in here either.
        if self._switched:
            try:
                _setns(self._original)
            except OSError:
                os._exit(LOST)
            self._switched = False


def open_here(files: int) -> tuple[int, list[int]]:
    """Open a sock_diag socket, and those of FILES that have a bit in `files` and are there.

    Returns the bits of the files that were opened, and the descriptors, the socket's first. The
    socket is bound and hears everyone yet: whoever gets it makes it deaf to all but the kernel, and
    counts what had come by then. Raises OSError.
    """
    descriptors = []
    opened = 0
    with socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _NETLINK_SOCK_DIAG
    ) as channel:
        channel.bind((0, 0))
        descriptors.append(channel.detach())
    for number, name in enumerate(NAMESPACE_FILES):
        if files >> number & 1:
            # /proc/net would speak of the process, which has just one thread.
            with suppress(OSError):
                descriptors.append(os.open(f"/proc/{name}", os.O_RDONLY | os.O_CLOEXEC))
                opened |= 1 << number
    return opened, descriptors


def _by_process(pid: int, started: int) -> int:
    """Open the process itself, which a pid cannot stand for once it has ended."""
    descriptor = os.pidfd_open(pid)
    try:
        if started and _start_of(pid) != started:
            raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _by_name(name: bytes) -> int:
    # Whatever lies there, it leads nowhere else and keeps nobody waiting.
    return os.open(RUN_NETNS + name, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)


def _start_of(pid: int) -> int:
    """Read when a process started, in clock ticks (proc_pid_stat(5), field 22)."""
    descriptor = os.open(f"/proc/{pid}/stat", os.O_RDONLY | os.O_CLOEXEC)
    try:
        return int(os.read(descriptor, 4096).rpartition(b")")[2].split()[_STARTED])
    finally:
        os.close(descriptor)


def _setns(descriptor: int) -> None:
    if _LIBC.setns(descriptor, _CLONE_NEWNET) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
