"""The processes of the host as the broker shows them: the twin of `Processes`, for who may see too little."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from typing import Final

from exporter.kernel.errors import KernelError, from_errno
from exporter.kernel.netns.broker_client import BrokerClient, BrokerLostError
from exporter.kernel.processes.process import Process, ProcessSockets, start_of

_GONE: Final = frozenset({errno.ENOENT, errno.ESRCH})
_DENIED: Final = frozenset({errno.EACCES, errno.EPERM})
_PORTION_BYTES: Final = 65536


class BrokeredProcesses:
    """Asks the broker. Every method raises KernelError."""

    def __init__(self, broker: BrokerClient) -> None:
        """Take the broker."""
        self._broker = broker

    def pids(self) -> list[int]:
        """Return the number of every process."""
        try:
            return self._broker.pids()
        except OSError as error:
            raise _failure("cannot list the processes", error) from error

    def sockets(self, pid: int) -> Iterator[ProcessSockets]:
        """Yield the sockets of a process, one portion a step; nothing where it is gone."""
        try:
            for inodes in self._broker.sockets(pid):
                yield ProcessSockets(pid, frozenset(inodes))
        except OSError as error:
            if error.errno in _DENIED:
                yield ProcessSockets(pid, denied=True)
            elif error.errno not in _GONE:
                raise _failure(f"cannot read /proc/{pid}/fd", error) from error

    def read(self, pid: int) -> Process | None:
        """Return who a process is, or None where it is gone, or another has got its number meanwhile."""
        try:
            started = self._start_of(pid)
            name = self._content(pid, "comm").removesuffix(b"\n")
            cgroup = self._content(pid, "cgroup")
            if self._start_of(pid) != started:
                return None
        except OSError as error:
            if error.errno in _GONE | _DENIED:
                return None
            raise _failure(f"cannot read /proc/{pid}", error) from error
        return Process(pid, started, name, cgroup)

    def _start_of(self, pid: int) -> int:
        return start_of(self._content(pid, "stat"), f"/proc/{pid}/stat")

    def _content(self, pid: int, name: str) -> bytes:
        descriptor = self._broker.open_of_process(pid, name)
        try:
            return b"".join(iter(lambda: os.read(descriptor, _PORTION_BYTES), b""))
        finally:
            os.close(descriptor)


def _failure(what: str, error: OSError) -> KernelError:
    if isinstance(error, BrokerLostError):
        return KernelError(f"{what}: {error}", "broker")
    return from_errno(what, error.errno or 0)
