"""Kernels that lack what the broker uses, as it sees them."""

from __future__ import annotations

import errno
import os
import socket

from exporter.broker.server import BrokerServer
from exporter.broker.switcher import NamespaceSwitcher, SystemCalls


class Linux57(SystemCalls):
    """There are pidfds, and setns() does not take them. `refused` counts those that it was given."""

    def __init__(self) -> None:
        self.opened = 0
        self.refused = 0

    def pidfd_open(self, pid: int) -> int:
        """Count one more."""
        self.opened += 1
        return super().pidfd_open(pid)

    def setns(self, descriptor: int) -> None:
        """Refuse what is no file of a namespace."""
        # `anon_inode:[pidfd]`, from Linux 6.9 on `pidfd:[<inode>]`.
        if "pidfd" in os.readlink(f"/proc/self/fd/{descriptor}"):  # noqa: PTH115
            self.refused += 1
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        super().setns(descriptor)


class Linux52(Linux57):
    """There are no pidfds; `number` is the error that says so."""

    def __init__(self, number: int = errno.ENOSYS) -> None:
        super().__init__()
        self._number = number

    def pidfd_open(self, pid: int) -> int:  # noqa: ARG002
        """Fail as a system call that does not exist, or that a filter does not know."""
        self.opened += 1
        raise OSError(self._number, os.strerror(self._number))


def serve_on(calls: SystemCalls, channel: socket.socket) -> None:
    """Be a broker on such a kernel; for `running_broker`."""
    BrokerServer(NamespaceSwitcher(calls)).serve(channel)
