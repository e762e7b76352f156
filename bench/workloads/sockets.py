"""Sockets in the network namespace of the caller, held open by processes that do nothing else."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import Final, Self

from bench.workloads import socket_process
from bench.workloads.socket_process import FIRST_PORT, SocketCounts
from testbed import syscalls
from testbed.flood import Tun, syn_flood
from testbed.namespace import write_sysctl

# Both ends of a connection are in one process, which may open 20,000 files.
_PAIRS_A_PROCESS: Final = 9_000
_FLOOD_BACKLOG: Final = 200_000
# A listener of its own, so that the queues of the others stay as they are.
FLOOD_PORT: Final = FIRST_PORT - 1
# The kernel repeats its SYN-ACKs after 1, 3 and 7 seconds; between them the machine is idle.
_AFTER_FIRST_SYN_ACKS_SECONDS: Final = 1.5


@dataclass(frozen=True, slots=True)
class Sockets:
    """The number of sockets of each kind.

    `connections` and `unix_connections` count sockets as the kernel's tables do: where both ends
    are on this machine, a connection is two. Every `ipv6_every`-th listener is IPv6.
    """

    listeners: int
    connections: int = 0
    syn_recv: int = 0
    unix_listeners: int = 0
    unix_connections: int = 0
    ipv6_every: int = 0

    def __str__(self) -> str:
        parts = [f"{self.listeners:,} listeners"] if self.listeners else []
        if self.ipv6_every:
            parts.append(f"1 of {self.ipv6_every} IPv6")
        for count, name in (
            (self.connections, "connections"),
            (self.syn_recv, "half-open"),
            (self.unix_listeners, "unix listeners"),
            (self.unix_connections, "connected unix sockets"),
        ):
            if count:
                parts.append(f"{count:,} {name}")
        return ", ".join(parts)


class OpenSockets:
    """The sockets, open while this context is. The namespace should be the caller's own."""

    def __init__(self, sockets: Sockets) -> None:
        self.sockets = sockets
        self._stack = ExitStack()
        self._processes: list[Connection] = []

    def __enter__(self) -> Self:
        try:
            self._open()
        except BaseException:
            self._stack.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def change(self, count: int) -> None:
        """Change the accept queues of `count` listeners: one connection more, or the same one less."""
        self._processes[0].send(count)
        self._wait_for_answer(self._processes[0])

    def receive_segments(self) -> None:
        """Have the namespace receive a few TCP segments, as any host in use does all the time."""
        socket_process.receive_segments()

    def _open(self) -> None:
        sockets = self.sockets
        write_sysctl("net.core.somaxconn", _FLOOD_BACKLOG)
        # By default the kernel gives half-open connections up within a minute.
        write_sysctl("net.ipv4.tcp_synack_retries", 100)
        counts = [
            SocketCounts(
                sockets.listeners, sockets.ipv6_every, sockets.unix_listeners, sockets.unix_connections // 2
            )
        ]
        pairs = sockets.connections // 2
        while pairs > 0:
            counts.append(SocketCounts(pairs=min(pairs, _PAIRS_A_PROCESS)))
            pairs -= _PAIRS_A_PROCESS
        listeners = socket_process.listen(counts[0])
        self._processes = [self._fork(each, listeners) for each in counts]
        for listener in listeners:
            listener.close()
        for process in self._processes:
            self._wait_for_answer(process)
        if sockets.syn_recv:
            self._flood()

    def _fork(self, counts: SocketCounts, listeners: list[socket.socket]) -> Connection:
        ours, theirs = Pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                ours.close()
                syscalls.die_with_parent()
                if os.getppid() == parent:
                    socket_process.serve(counts, listeners, theirs)
                status = 0
            finally:
                os._exit(status)
        theirs.close()
        self._stack.callback(_reap, pid)
        self._stack.callback(ours.close)
        return ours

    def _flood(self) -> None:
        self._stack.enter_context(socket.create_server(("", FLOOD_PORT), backlog=_FLOOD_BACKLOG))
        tun = self._stack.enter_context(Tun())
        syn_flood(tun, str(Tun.ipv4.ip), FLOOD_PORT, self.sockets.syn_recv)
        time.sleep(_AFTER_FIRST_SYN_ACKS_SECONDS)

    @staticmethod
    def _wait_for_answer(process: Connection) -> None:
        answer = process.recv()
        if answer is not None:
            raise RuntimeError(f"a process that holds sockets failed: {answer}")


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
