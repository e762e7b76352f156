"""Which network namespaces there are beside that of this process: those of processes, and those with a name.

A namespace that has neither, and that only an open descriptor keeps, is not found. Source: namespaces(7),
ip-netns(8).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exporter import proc
from exporter.broker.named_namespaces import NamedNamespaces
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import MalformedReplyError, from_os_error
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.cookie import have_cookies
from exporter.kernel.netns.process_namespaces import ProcessNamespaces

RUN_NETNS: Final = Path("/run/netns")
_OWN: Final = Path("/proc/self/ns/net")
# No process of a user started in the first tick after boot.
_NEVER: Final = 1


@dataclass(frozen=True, slots=True)
class NamespaceRef:
    """A namespace that was found.

    `name` is empty where it has none under /run/netns. `pid` is a process in it, 0 where there is none.
    """

    inode: int
    name: bytes
    target: NamespaceTarget
    pid: int = 0


class Discovery:
    """Finds the network namespaces of the host, by its processes as the broker sees them, and by name."""

    def __init__(self, broker: BrokerClient, named: Path = RUN_NETNS, *, cookies: bool | None = None) -> None:
        """Take the broker, and whether namespaces have cookies, which is found out unless told.

        Where they have none, a target tells its process from a later one with the number, and its name from
        one that is given again. Raises KernelError.
        """
        self._broker = broker
        self._named = NamedNamespaces(os.fsencode(named))
        self._cookies = have_cookies() if cookies is None else cookies
        self._processes = ProcessNamespaces(broker)
        # The targets of processes that were found before, and what they were found from.
        self._targets: dict[int, NamespaceTarget] = {}
        self._last: tuple[Mapping[int, int], dict[int, NamespaceTarget]] | None = None
        self._refs: list[NamespaceRef] = []

    def find(self, now: float) -> list[NamespaceRef]:
        """Return every other namespace, at `now` in monotonic seconds; the same list where none has changed.

        Raises KernelError.
        """
        try:
            own = _OWN.stat()
            pids = self._processes.find(now)
            names = self._names()
        except OSError as error:
            raise from_os_error("cannot look for network namespaces", error) from error
        if self._last is None or pids is not self._last[0] or names != self._last[1]:
            self._refs = self._make_refs(pids, names, own.st_ino)
            self._last = pids, names
        return self._refs

    def forget(self, target: NamespaceTarget) -> None:
        """Look at a process or name anew, since what it was is gone; another may have its number."""
        self._targets.pop(target.pid, None)
        self._last = None

    def _make_refs(
        self, pids: Mapping[int, int], names: Mapping[int, NamespaceTarget], own: int
    ) -> list[NamespaceRef]:
        unnamed = {inode: pid for inode, pid in pids.items() if inode != own and inode not in names}
        self._targets = {pid: self._target(pid, inode) for inode, pid in unnamed.items()}
        return [
            *(
                NamespaceRef(inode, target.name, target, pids.get(inode, 0))
                for inode, target in names.items()
                if inode != own
            ),
            *(NamespaceRef(inode, b"", self._targets[pid], pid) for inode, pid in unnamed.items()),
        ]

    def _target(self, pid: int, inode: int) -> NamespaceTarget:
        known = self._targets.get(pid)
        if known is not None and known.inode == inode:
            return known
        return NamespaceTarget(pid, 0 if self._cookies else self._start_ticks(pid), inode=inode)

    def _start_ticks(self, pid: int) -> int:
        """Return when a process started, in clock ticks; _NEVER where it has ended meanwhile."""
        try:
            stat = proc.read_descriptor(self._broker.open_of_process(pid, "stat"))
            return proc.start_ticks(stat)
        except (FileNotFoundError, ProcessLookupError):
            return _NEVER
        except ValueError as error:
            raise MalformedReplyError(f"/proc/{pid}/stat: {error}") from error
        except OSError as error:
            raise from_os_error("cannot look for network namespaces", error) from error

    def _names(self) -> dict[int, NamespaceTarget]:
        """Return the names by inode, of several for one namespace the first in order. Raises OSError."""
        try:
            named = self._named.find()
        except PermissionError:
            # Root may have made the directory for itself alone, by its umask.
            named = self._broker.names()
        found: dict[int, NamespaceTarget] = {}
        for each in named:
            # The mount of a namespace keeps its inode, which is made anew for another with the number.
            started = 0 if self._cookies else each.changed
            found.setdefault(each.inode, NamespaceTarget(0, started, each.name, inode=each.inode))
        return found
