"""The label `netns` of each network namespace.

It is the name that ip-netns(8) knows, else the name of the pod or the container that runs there, else the
number of the inode. A name that could be taken for that of another namespace is not used. The name of a pod
or container is looked for before the namespace is sampled, and stays as long as the namespace does.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from exporter.config.model import NetnsName
from exporter.kernel.errors import KernelError
from exporter.kernel.netns.discovery import NamespaceRef
from exporter.kernel.netns.host_label import HOST
from exporter.kernel.text import label_value, printable
from exporter.owners.workloads import Workload, Workloads

# What engines call the namespaces that they make: containerd's pkg/netns (cni-), Podman's
# go.podman.io/common/pkg/netns (netns-), CRI-O's internal/config/nsmgr, Nomad's client/lib/nsutil.
_MADE_BY_ENGINE: Final = re.compile(rb"(?:cni-|netns-)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# How long a namespace waits for its name. The owners of its listeners are looked for after that.
_WAIT_SECONDS: Final = 0.5
# The same for one that an engine has made, and sets up before it starts a process there.
_WAIT_FOR_PROCESS_SECONDS: Final = 30.0


class NamespaceLabels:
    """Finds the label of each namespace. One thread uses it.

    `version` grows whenever a label may have changed though no namespace came or went.
    """

    def __init__(self, workloads: Workloads | None = None) -> None:
        """Take what finds pods and containers, None where nothing does."""
        self.version = 0
        self._workloads = workloads
        # The pod or container of each namespace by inode; empty where none is known, or another has its name.
        self._names: dict[int, str] = {}
        # Since when a namespace has waited for that.
        self._waiting: dict[int, float] = {}
        # The process that stood for each that was given up, 0 where none was in it.
        self._given_up: dict[int, int] = {}
        self._soon = False

    @property
    def soon(self) -> bool:
        """Whether the label of a namespace will be known within a second or so."""
        return self._soon

    def look_up(self, refs: Sequence[NamespaceRef], now: float) -> None:
        """Look for the pods and containers of those that are new, at `now` in monotonic seconds."""
        inodes = {ref.inode for ref in refs}
        self._names = {inode: name for inode, name in self._names.items() if inode in inodes}
        self._wait_for_late_processes(refs)
        again = [
            ref
            for ref in refs
            if not ref.name and ref.pid and self._given_up.get(ref.inode, ref.pid) != ref.pid
        ]
        waiting = [ref for ref in refs if ref.inode not in self._names and not _named_by_hand(ref)]
        self._waiting = {ref.inode: self._waiting.get(ref.inode, now) for ref in waiting}
        self._soon = False
        if not (waiting or again) or self._workloads is None:
            self._waiting = {}
            return
        found = self._find(self._workloads, [ref.pid for ref in (*waiting, *again) if ref.pid])
        taken = {label_value(printable(ref.name)) for ref in refs if _named_by_hand(ref)} | {
            *self._names.values()
        }
        # Of several with one name the oldest has it, so that it is the same one after a restart.
        for ref in sorted(waiting, key=lambda ref: found[ref.pid].started if ref.pid in found else 0):
            name = self._decide(ref, found.get(ref.pid), taken, now)
            if name is None:
                self._soon = self._soon or ref.pid != 0
            else:
                taken.add(name)
                self._names[ref.inode] = name
                if not name:
                    self._given_up[ref.inode] = ref.pid
                del self._waiting[ref.inode]
                self.version += 1
        self._name_late([(ref, found[ref.pid]) for ref in again if ref.pid in found], taken)

    def forget(self, inode: int) -> None:
        """Look for the name of a namespace again, since another has got its number."""
        self._names.pop(inode, None)
        self._waiting.pop(inode, None)
        self.version += 1

    def labelled(self, refs: Sequence[NamespaceRef], kind: NetnsName) -> list[tuple[str, NamespaceRef]]:
        """Return the namespaces with their labels, without those that wait for theirs."""
        labels: dict[str, NamespaceRef] = {}
        ready = [ref for ref in refs if kind is NetnsName.INODE or ref.inode not in self._waiting]
        for ref in sorted(ready, key=lambda ref: (not _named_by_hand(ref), not self._name(ref), ref.inode)):
            names = (name for name in self._candidates(ref, kind) if _usable(name) and name not in labels)
            labels[next(names, str(ref.inode))] = ref
        return list(labels.items())

    def _candidates(self, ref: NamespaceRef, kind: NetnsName) -> Iterator[str]:
        if kind is NetnsName.NAME and not _named_by_hand(ref):
            yield self._name(ref)
        yield label_value(printable(ref.name))

    def _name(self, ref: NamespaceRef) -> str:
        return self._names.get(ref.inode, "")

    def _wait_for_late_processes(self, refs: Sequence[NamespaceRef]) -> None:
        """Look again for the names of those that were given up before their first process came.

        Without a process there was hardly a listener, so no series ends. An engine may take long to start a
        container: it reads an image from a disk, or from a registry, once it has made the namespace.
        """
        self._given_up = {inode: pid for inode, pid in self._given_up.items() if inode in self._names}
        for inode in [ref.inode for ref in refs if ref.pid and self._given_up.get(ref.inode) == 0]:
            del self._given_up[inode]
            self.forget(inode)

    def _name_late(self, found: Sequence[tuple[NamespaceRef, Workload]], taken: set[str]) -> None:
        """Name those without a name for which another process stands than when they were given up.

        As of a rootless container, whose namespace is entered by the program that connects it to the network
        before the container's own process starts. Until then they keep their numbers.
        """
        for ref, workload in found:
            self._given_up[ref.inode] = ref.pid
            if _usable(workload.name) and workload.name not in taken:
                taken.add(workload.name)
                self._names[ref.inode] = workload.name
                del self._given_up[ref.inode]
                self.version += 1

    @staticmethod
    def _find(workloads: Workloads, pids: Sequence[int]) -> dict[int, Workload]:
        try:
            return workloads.find(pids)
        except KernelError:
            # Whatever is wrong with the broker, the search for namespaces tells as well.
            return {}

    def _decide(
        self, ref: NamespaceRef, workload: Workload | None, taken: set[str], now: float
    ) -> str | None:
        """Return the name that a namespace has from now on, None where that cannot be said yet.

        Who restarts under the same name may still find the one before.
        """
        if workload is not None and not _usable(workload.name):
            return ""
        if workload is not None and workload.name not in taken:
            return workload.name
        set_up = workload is None and bool(ref.name)
        limit = _WAIT_FOR_PROCESS_SECONDS if set_up else _WAIT_SECONDS
        return "" if now - self._waiting[ref.inode] >= limit else None


def _named_by_hand(ref: NamespaceRef) -> bool:
    return bool(ref.name) and _MADE_BY_ENGINE.fullmatch(ref.name) is None


def _usable(name: str) -> bool:
    """Tell whether a name cannot be taken for the exporter's own namespace, or for a number."""
    return bool(name) and not name.isdecimal() and name != HOST
