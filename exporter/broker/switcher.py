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
from typing import Final, NamedTuple

from exporter import libc, proc
from exporter.broker.wire import NamespaceTarget

RUN_NETNS: Final = b"/run/netns/"
_OWN: Final = "/proc/self/ns/net"
# The exit status of a process that could not go back to its own namespace.
NOT_RESTORED: Final = 3
_CLONE_NEWNET: Final = 0x40000000
_NETLINK_SOCK_DIAG: Final = 4
# On MIPS and Alpha it has another number, and is not found, as on an older kernel.
_SYS_PIDFD_OPEN: Final = 434
# What an old kernel answers, and a filter that does not know the call.
_NO_PIDFD: Final = frozenset({errno.ENOSYS, errno.EPERM})


class SystemCalls:
    """The system calls that older kernels lack, or that take less there. Methods raise OSError."""

    def pidfd_open(self, pid: int) -> int:
        """Return a descriptor that refers to a process: pidfd_open(2), Linux 5.3."""
        # os.pidfd_open() is missing in a Python that was built with the headers of an older kernel.
        return libc.call("syscall", *map(ctypes.c_long, (_SYS_PIDFD_OPEN, pid, 0)))

    def setns(self, descriptor: int) -> None:
        """Enter the network namespace of a file in /proc/<pid>/ns, or of a pidfd: setns(2), Linux 5.8."""
        libc.call("setns", descriptor, _CLONE_NEWNET)


class Opened(NamedTuple):
    """What was opened in a namespace.

    `files` are the names of the files that were. `descriptors` has that of the sock_diag socket, then a pidfd
    if `has_pidfd` is set, then those of the files.
    """

    files: list[str]
    descriptors: list[int]
    has_pidfd: bool


class NamespaceSwitcher:
    """Changes the network namespace of this process, which has one thread."""

    def __init__(self, calls: SystemCalls | None = None) -> None:
        """Open the namespace of this process. Raises OSError."""
        self._calls = SystemCalls() if calls is None else calls
        self._original = proc.open_file(_OWN)
        self._switched = False
        # Until the kernel says otherwise: its version does not tell what was added to it, or is filtered.
        self._has_pidfd = True
        self._enters_by_pidfd = True

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Go back to the original namespace at the end, also after an error.

        A process that cannot go back ends at once: it would answer for the wrong namespace.
        """
        try:
            yield
        finally:
            self._restore()

    def enter(self, target: NamespaceTarget) -> int | None:
        """Enter a namespace, from whichever this process is in.

        Returns the pidfd of the process by which it was entered, for the caller to close; None where that was
        a name, or where the kernel has no pidfd. Raises OSError: ESRCH also where it is another namespace
        than that of the target, which this process is in then.
        """
        if target.name:
            pidfd = None
            self._enter_file(_open_name(target.name, target.started))
        else:
            pidfd = self._enter_process(target.pid, target.started)
        self._switched = True
        try:
            if target.inode and os.stat(_OWN).st_ino != target.inode:  # noqa: PTH116
                raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))
        except OSError:
            if pidfd is not None:
                os.close(pidfd)
            raise
        return pidfd

    def open_in(self, target: NamespaceTarget) -> Opened:
        """Enter a namespace and open a sock_diag socket there, and those of its files that may be read.

        With the pidfd of its process the namespace may stay open: it keeps no namespace alive, and becomes
        readable when the process ends. Raises OSError; then nothing is open.
        """
        pidfd = self.enter(target)
        try:
            opened, (channel, *files) = open_here(target.files)
        except OSError:
            if pidfd is not None:
                os.close(pidfd)
            raise
        if pidfd is None:
            return Opened(opened, [channel, *files], has_pidfd=False)
        return Opened(opened, [channel, pidfd, *files], has_pidfd=True)

    def _enter_process(self, pid: int, started: int) -> int | None:
        """Enter the namespace of a process, and return its pidfd where there are pidfds."""
        # It refers to this process also when the number has been given to another.
        pidfd = self._open_process(pid)
        try:
            if started:
                _check_start(pid, started)
            if pidfd is None or not self._enter_pidfd(pidfd):
                self._enter_file(_open_namespace(pid, started))
        except OSError:
            if pidfd is not None:
                os.close(pidfd)
            raise
        return pidfd

    def _open_process(self, pid: int) -> int | None:
        """Return a pidfd, None where the kernel has none."""
        if self._has_pidfd:
            try:
                return self._calls.pidfd_open(pid)
            except OSError as error:
                if error.errno not in _NO_PIDFD:
                    raise
            self._has_pidfd = False
        return None

    def _enter_pidfd(self, pidfd: int) -> bool:
        """Enter the namespace of a process, or tell that setns() takes no pidfd, or not of this one."""
        if self._enters_by_pidfd:
            try:
                self._calls.setns(pidfd)
            except OSError as error:
                if error.errno == errno.ESRCH:
                    # It has ended, or its first thread has: another one of it may have the namespace.
                    return False
                if error.errno != errno.EINVAL:
                    raise
                self._enters_by_pidfd = False
        return self._enters_by_pidfd

    def _enter_file(self, descriptor: int) -> None:
        """Enter the namespace of a file, and close it: it would keep the namespace alive."""
        try:
            self._calls.setns(descriptor)
        finally:
            os.close(descriptor)

    def _restore(self) -> None:
        # Without a capability no namespace was entered, and setns() would be refused here as well.
        if self._switched:
            try:
                self._calls.setns(self._original)
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


def _open_namespace(pid: int, started: int) -> int:
    """Open the network namespace of a process; of one that started at that time, unless that is 0."""
    started = started or _start_ticks(pid)
    descriptor = _open_of_any_thread(pid)
    try:
        # The number may have been given to another process before the file was opened.
        _check_start(pid, started)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor


def _open_of_any_thread(pid: int) -> int:
    for directory in proc.directories(pid):
        with suppress(FileNotFoundError):
            return proc.open_file(f"{directory}/ns/net")
    raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))


def _check_start(pid: int, started: int) -> None:
    """Raise ProcessLookupError where a process did not start at that time, and so is another."""
    if _start_ticks(pid) != started:
        raise ProcessLookupError(errno.ESRCH, os.strerror(errno.ESRCH))


def _start_ticks(pid: int) -> int:
    try:
        return proc.start_ticks(proc.read_file(f"/proc/{pid}/stat"))
    except ValueError as error:
        raise OSError(errno.EIO, os.strerror(errno.EIO)) from error


def _open_name(name: bytes, changed: int) -> int:
    """Open the file of a name; only one that was changed at that time, unless that is 0."""
    # What lies there may be a link to anywhere, or a FIFO that nobody writes to.
    flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    descriptor = os.open(RUN_NETNS + name, flags)
    if changed and os.fstat(descriptor).st_ctime_ns != changed:
        os.close(descriptor)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return descriptor
