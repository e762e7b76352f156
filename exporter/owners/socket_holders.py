"""Which of some processes holds a socket."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from exporter.kernel.processes.process import Process, ProcessTable

INIT_PID: Final = 1
# Programs that start others with sockets that they have opened for them: service managers, what stands
# between a container and its engine, and what waits for a command that has inherited a socket, as shells do.
_MANAGERS: Final = re.compile(
    rb"(supervisor\.)?supervisord|circusd|runit|runsv(dir)?|s6-.*|svscan|supervise|upstart|openrc-.*|finit|dinit"
    rb"|(inetutils-)?inetd|xinetd|rlinetd|tcpsvd|tcpserver|systemd-socket-activate|start_server|einhorn"
    rb"|systemd-executor|dbus-broker-launch|traffic_manager"
    rb"|systemfd|socketmaster|conmon(rs)?|containerd-shim.*|dockerd|podman|crun|runc|rootlesskit.*"
    rb"|lxc-start|\[lxc monitor\].*|systemd-nspawn|tini(-static)?|dumb-init|catatonit|docker-init"
    rb"|r?(sh|bash|dash|ash|ksh(93)?|zsh)|[lm]ksh|fish|t?csh|.*\.sh"
    rb"|time|timeout|flock|su|sudo|doas|pkexec|runuser|setsid|script|strace|ltrace"
    rb"|unshare|nsenter|bwrap|firejail|xargs|make|(npm|npx|yarn|pnpm|nodemon|uv|poetry|pipenv)( .*)?"
)
# The same, where they serve no socket of their own either. A child of systemd that has not become its program
# yet is called `(name)`.
_INITS: Final = re.compile(rb"systemd|init|\(.*\)")

OwnerOrder = tuple[int, int, int]


def owner_order(process: Process) -> OwnerOrder:
    """Sort key of processes that hold the same socket; the first is the owner.

    That is the process that started first, as a master before its workers. Those that hold sockets for others
    come after all that do not, and process 1 and systemd come last.
    """
    rank = 2 if is_init(process) else 1 if is_manager(process.name) else 0
    return rank, process.started, process.pid


def is_init(process: Process) -> bool:
    """Tell whether a process is process 1 or systemd, which serve no sockets of their own."""
    return process.pid == INIT_PID or _INITS.fullmatch(process.name) is not None


def is_manager(program: bytes) -> bool:
    """Tell whether a program opens or keeps sockets for others that it starts."""
    return _MANAGERS.fullmatch(program) is not None


def holds_for_others(process: Process) -> bool:
    """Tell whether a process opens sockets for the programs that it starts."""
    return owner_order(process)[0] > 0


class SocketHolders:
    """One search for the owners of the sockets with the inodes `sought`.

    `is_known_manager` tells of more than command names which processes hold sockets for others. `found` has
    the owner of each inode, `managers` the processes that were known to hold sockets for others when it was
    chosen, and `denied_count` is the number of processes whose descriptors may not be read.
    """

    def __init__(
        self,
        processes: ProcessTable,
        sought: set[int],
        is_known_manager: Callable[[Process], bool] = lambda _process: False,
    ) -> None:
        self._processes = processes
        self._sought = sought
        self._is_known_manager = is_known_manager
        self.found: dict[int, Process] = {}
        self.managers: set[Process] = set()
        self.denied_count = 0

    def search(self, pids: Iterable[int]) -> Iterator[None]:
        """Read the descriptors of these processes, in steps. Raises KernelError."""
        held_by_pid: dict[int, set[int]] = {}
        for pid in pids:
            for sockets in self._processes.sockets(pid):
                self.denied_count += sockets.denied
                held = sockets.inodes & self._sought
                if held:
                    held_by_pid.setdefault(pid, set()).update(held)
                yield
        yield from self._choose(held_by_pid)

    def _order(self, process: Process) -> OwnerOrder:
        rank, started, pid = owner_order(process)
        return rank or int(self._is_known_manager(process)), started, pid

    def _choose(self, held_by_pid: dict[int, set[int]]) -> Iterator[None]:
        """Choose the owner among several holders, and read its name and cgroup.

        Seconds may have passed since the descriptors of a process were read: it may have ended, its pid may
        be that of another process, and the socket may have been passed on. So they are read again.
        """
        orders: dict[Process, OwnerOrder] = {}
        for pid in held_by_pid:
            process = self._processes.read(pid)
            if process is not None:
                orders[process] = self._order(process)
                yield
        self.managers |= {process for process, (rank, *_) in orders.items() if rank}
        for process in sorted(orders, key=orders.__getitem__):
            left = held_by_pid[process.pid] - self.found.keys()
            held: set[int] = set()
            for sockets in self._processes.sockets(process.pid) if left else ():
                held |= sockets.inodes & left
                yield
                if held == left:
                    break
            again = self._processes.read(process.pid) if held else None
            # With the same start time before and after it is one process, which held the sockets in between.
            if again is not None and again.started == process.started:
                self.found.update(dict.fromkeys(held, again))
