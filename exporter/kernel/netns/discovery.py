"""Which network namespaces there are beside our own: those of processes, and those with a name.

A namespace that has neither, and is held by an open descriptor only, cannot be found. Source:
namespaces(7), ip-netns(8).
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import KernelError, from_errno
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.remote import have_cookies
from exporter.kernel.processes.process import start_of

RUN_NETNS: Final = Path("/run/netns")
_OWN: Final = Path("/proc/self/ns/net")
_MOST_STAT_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class NamespaceRef:
    """A namespace that was found. `name` is empty where it has none under /run/netns."""

    inode: int
    name: bytes
    target: NamespaceTarget


class Discovery:
    """Finds the network namespaces of the host, as the broker sees its processes."""

    def __init__(self, broker: BrokerClient, named: Path = RUN_NETNS, *, cookies: bool | None = None) -> None:
        """Take the broker. Where namespaces have no `cookies`, processes are told apart by their start."""
        self._broker = broker
        self._named = named
        self._cookies = have_cookies() if cookies is None else cookies

    def find(self) -> list[NamespaceRef]:
        """Return every other namespace. Raises KernelError."""
        own = _OWN.stat()
        try:
            processes = {inode: self._entry(pid) for inode, pid in self._broker.namespaces().items()}
        except OSError as error:
            raise KernelError(f"cannot look for network namespaces: {error}", "broker") from error
        names = self._names(own.st_dev)
        refs = {inode: NamespaceRef(inode, name, NamespaceTarget(name=name)) for inode, name in names.items()}
        for inode, target in processes.items():
            refs.setdefault(inode, NamespaceRef(inode, b"", target))
        refs.pop(own.st_ino, None)
        return list(refs.values())

    def _entry(self, pid: int) -> NamespaceTarget:
        return NamespaceTarget(pid=pid, started=0 if self._cookies else self._start_of(pid))

    def _start_of(self, pid: int) -> int:
        """Read when a process started, in clock ticks; 1, which is never, where it has ended meanwhile."""
        try:
            descriptor = self._broker.open_of_process(pid, "stat")
            try:
                stat = os.read(descriptor, _MOST_STAT_BYTES)
            finally:
                os.close(descriptor)
        except (FileNotFoundError, ProcessLookupError):
            return 1
        return start_of(stat, f"/proc/{pid}/stat")

    def _names(self, device: int) -> dict[int, bytes]:
        """Read the names, of several for one namespace the first; a file that is no namespace is none."""
        found: dict[int, bytes] = {}
        try:
            for target in sorted(os.scandir(os.fsencode(self._named)), key=lambda target: target.name):
                try:
                    # The broker follows no links, and this process may not look behind one to /proc.
                    stat = os.lstat(target.path)
                except FileNotFoundError:
                    continue
                if stat.st_dev == device:
                    found.setdefault(stat.st_ino, target.name)
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise from_errno(f"cannot read {self._named}", error.errno or 0) from error
        return found
