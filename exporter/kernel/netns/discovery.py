"""Which network namespaces there are beside that of this process: those of processes, and those with a name.

A namespace that has neither, and that only an open descriptor keeps, is not found. Source: namespaces(7),
ip-netns(8).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exporter import proc
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import MalformedReplyError, from_os_error
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.cookie import have_cookies

RUN_NETNS: Final = Path("/run/netns")
_OWN: Final = Path("/proc/self/ns/net")
# No process of a user started in the first tick after boot.
_NEVER: Final = 1


@dataclass(frozen=True, slots=True)
class NamespaceRef:
    """A namespace that was found. `name` is empty where it has none under /run/netns."""

    inode: int
    name: bytes
    target: NamespaceTarget


class Discovery:
    """Finds the network namespaces of the host, by its processes as the broker sees them, and by name."""

    def __init__(self, broker: BrokerClient, named: Path = RUN_NETNS, *, cookies: bool | None = None) -> None:
        """Take the broker, and whether namespaces have cookies, which is found out unless told.

        Where they have none, the start of a process tells it from a later one with its number. Raises
        KernelError.
        """
        self._broker = broker
        self._named = named
        self._cookies = have_cookies() if cookies is None else cookies

    def find(self) -> list[NamespaceRef]:
        """Return every other namespace. Raises KernelError."""
        try:
            own = _OWN.stat()
            targets = {inode: self._target(pid) for inode, pid in self._broker.namespaces().items()}
            names = self._names(own.st_dev)
        except OSError as error:
            raise from_os_error("cannot look for network namespaces", error) from error
        refs = {inode: NamespaceRef(inode, name, NamespaceTarget(name=name)) for inode, name in names.items()}
        for inode, target in targets.items():
            refs.setdefault(inode, NamespaceRef(inode, b"", target))
        refs.pop(own.st_ino, None)
        return list(refs.values())

    def _target(self, pid: int) -> NamespaceTarget:
        return NamespaceTarget(pid=pid, started=0 if self._cookies else self._start_ticks(pid))

    def _start_ticks(self, pid: int) -> int:
        """Return when a process started, in clock ticks; _NEVER where it has ended meanwhile."""
        try:
            stat = proc.read_descriptor(self._broker.open_of_process(pid, "stat"))
            return proc.start_ticks(stat)
        except (FileNotFoundError, ProcessLookupError):
            return _NEVER
        except ValueError as error:
            raise MalformedReplyError(f"/proc/{pid}/stat: {error}") from error

    def _names(self, device: int) -> dict[int, bytes]:
        """Return the names by inode, of several for one namespace the first in order. Raises OSError.

        `device` is that of the file system of namespaces: other files are no mounts of one.
        """
        found: dict[int, bytes] = {}
        try:
            with os.scandir(os.fsencode(self._named)) as entries:
                paths = sorted((entry.name, entry.path) for entry in entries)
        except FileNotFoundError:
            return {}
        for name, path in paths:
            try:
                # The broker follows no links, and this process may not read where one to /proc leads.
                stat = os.lstat(path)
            except FileNotFoundError:
                continue
            if stat.st_dev == device:
                found.setdefault(stat.st_ino, name)
        return found
