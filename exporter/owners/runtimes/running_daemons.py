"""The daemons that run on this host, found by the names of processes. Everybody may read what is read here.

Sources: proc_pid_comm(5), proc_pid_cmdline(5), proc_pid_status(5). Anybody may start a program under one of
these names: what a daemon may name is decided by its user and its cgroup (scope.py).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from exporter import proc
from exporter.kernel.errors import KernelError
from exporter.owners.runtimes.daemon import ContainerDaemon
from exporter.owners.runtimes.scope import ROOT_USER

_NAMES: Final = frozenset((b"dockerd", b"containerd", b"conmon", b"crio", b"nerdctl"))
# containerd-shim-runc-v2 and others; a command name has 15 bytes.
_SHIM: Final = b"containerd-shim"
# How often the name of a new process is read: it may be forked first, and start the daemon then.
_ROUNDS: Final = 3
_PAUSE_SECONDS: Final = 1.0
# After so long all names are read again, should a process number have been used twice in between.
_MAX_AGE_SECONDS: Final = 60.0
# So many processes are looked at in one step.
_PORTION: Final = 64
# What a user other than root can make this process keep. conmon has 3 KiB of arguments.
_MAX_OF_USERS: Final = 1024
_MAX_ARGUMENT_BYTES: Final = 16 << 10

# Behind the name of the line and the real user.
_EFFECTIVE_FIELD: Final = 2

Arguments = Callable[[int, int], Sequence[bytes]]


def read_arguments(pid: int, started: int) -> Sequence[bytes]:  # noqa: ARG001  (as others need it)
    """Return the arguments of the process that started at `started`, in clock ticks. Raises OSError."""
    content = b""
    for directory in proc.directories(pid):
        # The first thread may have ended.
        if content := proc.read_file(f"{directory}/cmdline"):
            break
    return content.removesuffix(b"\0").split(b"\0")


class RunningDaemons:
    """Finds daemons. `found` has those of the last time."""

    def __init__(self, arguments: Arguments = read_arguments, root: str = "/proc") -> None:
        """Take what returns the arguments of a process by its number and its start, and where procfs is."""
        self.found: Sequence[ContainerDaemon] = ()
        self._arguments = arguments
        self._root = root
        # In how many more rounds the name of a process is read.
        self._rounds: dict[int, int] = {}
        self._daemons: dict[int, ContainerDaemon] = {}
        self._listed: float | None = None
        self._read_all: float | None = None

    def find(self, now: float) -> Iterator[None]:
        """Look for daemons, in steps, unless that was done within a second (`now` in monotonic seconds)."""
        if self._listed is not None and now - self._listed < _PAUSE_SECONDS:
            return
        self._listed = now
        if self._read_all is None or now - self._read_all > _MAX_AGE_SECONDS:
            self._read_all = now
            self._rounds, self._daemons = {}, {}
        try:
            pids = proc.pids(self._root)
        except OSError:
            return
        self._rounds = {pid: self._rounds.get(pid, _ROUNDS) for pid in pids}
        self._daemons = {pid: daemon for pid, daemon in self._daemons.items() if pid in self._rounds}
        unread = [pid for pid, rounds in self._rounds.items() if rounds]
        for position, pid in enumerate(unread):
            self._rounds[pid] -= 1
            daemon = self._read(pid)
            if daemon is not None and (daemon.uid == ROOT_USER or self._count_of_users() < _MAX_OF_USERS):
                self._daemons[pid] = daemon
            if position % _PORTION == _PORTION - 1:
                yield
        self.found = tuple(self._daemons.values())
        yield

    def _count_of_users(self) -> int:
        return sum(daemon.uid != ROOT_USER for daemon in self._daemons.values())

    def _read(self, pid: int) -> ContainerDaemon | None:
        """Return a daemon; None where the process is none, or has ended."""
        try:
            name = self._file(pid, "comm").removesuffix(b"\n")
            if name not in _NAMES and name != _SHIM:
                return None
            started = proc.start_ticks(self._file(pid, "stat"))
            arguments = self._arguments(pid, started)
            uid = _effective_uid(self._file(pid, "status"))
            cgroup = self._file(pid, "cgroup")
            # Another process may have got the number meanwhile. One without arguments is in the middle of
            # execve(2), which sets the name first.
            if not any(arguments) or proc.start_ticks(self._file(pid, "stat")) != started:
                return None
        except (OSError, ValueError, KernelError):
            return None
        if sum(map(len, arguments)) > _MAX_ARGUMENT_BYTES:
            return None
        decoded = tuple(map(os.fsdecode, arguments))
        return ContainerDaemon(name.decode(), pid, decoded, f"{self._root}/{pid}/root", uid, cgroup)

    def _file(self, pid: int, name: str) -> bytes:
        return proc.read_file(f"{self._root}/{pid}/{name}")


def _effective_uid(status: bytes) -> int:
    """Return the effective user of a process. Raises ValueError."""
    for line in status.split(b"\n"):
        fields = line.split()
        if line.startswith(b"Uid:") and len(fields) > _EFFECTIVE_FIELD:
            return int(fields[_EFFECTIVE_FIELD])
    raise ValueError("no line Uid")
