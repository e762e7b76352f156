"""A process with the name and the cgroup of a service, and an accept queue of a given length."""

from __future__ import annotations

import os
import resource
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from testbed import syscalls
from tests.integration.service import set_name

_TICK_SECONDS = 0.05
_MAX_FILES = 8192
_GIVE_UP_SECONDS = 3.0


@dataclass(frozen=True, slots=True)
class QueueProfile:
    """By the time in seconds: connections in the queue, and connections that are accepted a second."""

    length: Callable[[float], float]
    rate: Callable[[float], float] = lambda _: 40.0


@dataclass(frozen=True, slots=True)
class SimulatedService:
    """The name of the process, its cgroup, how it opens its listener, and the profile of its queue."""

    name: str
    cgroup: str
    listen: Callable[[], socket.socket]
    profile: QueueProfile

    def start(self, begin: float, ready: Callable[[], object] | None = None) -> int:
        """Fork it and return its id; `begin` is second 0 of its profile, in monotonic seconds."""
        pid = os.fork()
        if pid == 0:
            self.run(begin, ready or (lambda: None))
        return pid

    def run(self, begin: float, ready: Callable[[], object]) -> NoReturn:
        """Run it in this process, until the parent ends; `ready` is called once it listens."""
        try:
            syscalls.die_with_parent()
            set_name(self.name.encode())
            enter_cgroup(self.cgroup)
            resource.setrlimit(resource.RLIMIT_NOFILE, (_MAX_FILES, _MAX_FILES))
            listener = self.listen()
            ready()
            _simulate(listener, self.profile, begin)
        finally:
            os._exit(1)


def enter_cgroup(path: str, pid: int = 0) -> None:
    """Move a process, or the calling one, to a cgroup, in whose name the exporter finds its unit."""
    if path:
        Path(path, "cgroup.procs").write_text(f"{pid or os.getpid()}\n")


def _simulate(listener: socket.socket, profile: QueueProfile, begin: float) -> NoReturn:
    """Connect clients and accept them, the oldest first, so that the queue follows its profile."""
    waiting: deque[socket.socket] = deque()
    refused: deque[tuple[float, socket.socket]] = deque()
    due = 0.0
    while True:
        now = time.monotonic() - begin
        wanted = round(profile.length(now))
        due += profile.rate(now) * _TICK_SECONDS
        accepted = max(len(waiting) - wanted, min(int(due), len(waiting)))
        due -= int(due)
        for _ in range(accepted):
            listener.accept()[0].close()
            waiting.popleft().close()
        while len(waiting) < wanted:
            client = socket.socket(listener.family)
            client.setblocking(False)  # noqa: FBT003  (the standard library's signature)
            client.connect_ex(listener.getsockname())
            if not _connected(client):
                refused.append((now, client))
                break
            waiting.append(client)
        while refused and now - refused[0][0] > _GIVE_UP_SECONDS:
            refused.popleft()[1].close()
        time.sleep(_TICK_SECONDS)


def _connected(client: socket.socket) -> bool:
    try:
        client.getpeername()
    except OSError:
        return False
    return True
