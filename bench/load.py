"""A load: sockets in the network namespace of the caller, held by processes that do nothing else."""

from __future__ import annotations

import os
import socket
import time
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection, Pipe
from types import TracebackType
from typing import Self

from bench import holder
from bench.holder import FIRST_PORT, Share
from testbed import syscalls
from testbed.flood import Tun, syn_flood
from testbed.namespace import write_sysctl

# Both ends of a connection are here and one process may open 20,000 files.
_PAIRS_A_PROCESS = 9_000
_FLOOD_BACKLOG = 200_000
# The flood's port: a listener of its own, so that the others' queues stay as they are.
FLOOD_PORT = FIRST_PORT - 1


@dataclass(frozen=True, slots=True)
class Load:
    """How many sockets of each kind.

    `connections` and `unix_connections` count sockets as the kernel's tables do: where both ends
    are on this machine, a connection is two. `ipv6_every` makes each so-many-th listener IPv6.
    """

    listeners: int
    connections: int = 0
    half_open: int = 0
    unix_listeners: int = 0
    unix_connections: int = 0
    ipv6_every: int = 0

    def __str__(self) -> str:
        parts = [f"{self.listeners:,} listeners"] if self.listeners else []
        if self.ipv6_every:
            parts.append(f"1 of {self.ipv6_every} IPv6")
        for count, what in (
            (self.connections, "connections"),
            (self.half_open, "half-open"),
            (self.unix_listeners, "unix listeners"),
            (self.unix_connections, "connected unix sockets"),
        ):
            if count:
                parts.append(f"{count:,} {what}")
        return ", ".join(parts)


class Held:
    """A load that stands while this context is open. The namespace should be the caller's own."""

    def __init__(self, load: Load) -> None:
        """Nothing is opened before the context is entered."""
        self.load = load
        self._stack = ExitStack()
        self._holders: list[Connection] = []

    def __enter__(self) -> Self:
        try:
            self._build()
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
        self._holders[0].send(count)
        self._answer(self._holders[0])

    def poke(self) -> None:
        """Have a few TCP segments come in, as they do all the time on a host that is used."""
        holder.poke()

    def _build(self) -> None:
        load = self.load
        write_sysctl("net.core.somaxconn", _FLOOD_BACKLOG)
        # By default the kernel gives half-open connections up within a minute.
        write_sysctl("net.ipv4.tcp_synack_retries", 100)
        shares = [Share(load.listeners, load.ipv6_every, load.unix_listeners, load.unix_connections // 2)]
        pairs = load.connections // 2
        while pairs > 0:
            shares.append(Share(pairs=min(pairs, _PAIRS_A_PROCESS)))
            pairs -= _PAIRS_A_PROCESS
        listeners = holder.listen(shares[0])
        self._holders = [self._fork(share, listeners) for share in shares]
        for opened in listeners:
            opened.close()
        for connection in self._holders:
            self._answer(connection)
        if load.half_open:
            self._flood()

    def _fork(self, share: Share, listeners: list[socket.socket]) -> Connection:
        ours, theirs = Pipe()
        parent = os.getpid()
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                ours.close()
                syscalls.die_with_parent()
                if os.getppid() == parent:
                    holder.hold(share, listeners, theirs)
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
        syn_flood(tun, str(Tun.ipv4.ip), FLOOD_PORT, self.load.half_open)
        # The first answers are repeated after 1, 3 and 7 seconds; by then the machine is quiet.
        time.sleep(1.5)

    @staticmethod
    def _answer(connection: Connection) -> None:
        answer = connection.recv()
        if answer is not None:
            raise RuntimeError(f"a process that holds sockets failed: {answer}")


def _reap(pid: int) -> None:
    with suppress(ChildProcessError):
        os.waitpid(pid, 0)
