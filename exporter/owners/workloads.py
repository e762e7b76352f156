"""The pod or container that a process belongs to, by which its network namespace is named."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from exporter.kernel.processes.process import Process, ProcessTable
from exporter.kernel.text import label_value
from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.cgroup_membership import parse_cgroup_membership
from exporter.owners.container_name_cache import is_short_id
from exporter.owners.runtimes.names import ContainerNames
from exporter.owners.runtimes.scope import host_pod_uid, in_container

# An engine may start a process in its namespace before it is in its cgroup, and programs that set the network
# up run there in no container. A process that is older is where it belongs.
_SETTLED_SECONDS: Final = 2.0


@dataclass(frozen=True, slots=True)
class Workload:
    """What a process belongs to.

    `name` is that of the pod, or of the container where it is in no pod, empty where none is known. `started`
    is when the process started, in clock ticks since boot.
    """

    name: str
    started: int


class LocationNames(Protocol):
    """The names of the containers and pods at locations. No method waits for a file."""

    def ask(self, locations: Iterable[CgroupLocation]) -> None:
        """Have the names of what runs at these locations read."""
        ...

    def names_at(self, location: CgroupLocation) -> ContainerNames:
        """Return the names that are known now; for a container without a name its short id."""
        ...

    def settled(self, location: CgroupLocation) -> bool:
        """Tell whether the names are known, or not worth waiting for."""
        ...

    def poll(self) -> None:
        """Look after names that take too long; to be called now and again."""
        ...


class Workloads:
    """Finds the workloads of processes. One thread uses it."""

    def __init__(
        self,
        processes: Sequence[ProcessTable],
        names: LocationNames,
        uptime: Callable[[], float] = lambda: time.clock_gettime(time.CLOCK_BOOTTIME),
    ) -> None:
        """Take the processes, the names of containers, and a clock in seconds since boot.

        Of several tables the first that shows a process tells of it: what everybody may read needs no broker.
        """
        self._processes = processes
        self._names = names
        self._uptime = uptime
        # The locations whose names were asked for, among those that were looked at last.
        self._asked: set[CgroupLocation] = set()
        self._ticks_per_second = os.sysconf("SC_CLK_TCK")

    def find(self, pids: Collection[int]) -> dict[int, Workload]:
        """Return the workloads of these processes; those that may become known soon are left out.

        Raises KernelError.
        """
        processes = [process for pid in pids if (process := self._read(pid)) is not None]
        located = [(process, parse_cgroup_membership(process.cgroup)) for process in processes]
        contained = {location for _, location in located if in_container(location) or location.task}
        self._names.ask(contained - self._asked)
        self._asked = contained
        self._names.poll()
        return {
            process.pid: Workload(self._name(location), process.started)
            for process, location in located
            if (self._names.settled(location) if location in contained else self._settled(process))
        }

    def _read(self, pid: int) -> Process | None:
        found = (table.read(pid) for table in self._processes)
        return next((process for process in found if process is not None), None)

    def _name(self, location: CgroupLocation) -> str:
        """Return the name of the pod or container at a location.

        A container inside another one has none: root in the outer one may give it any.
        """
        if location.nested:
            return ""
        names = self._names.names_at(location)
        if host_pod_uid(location):
            return label_value(names.pod)
        return "" if is_short_id(names.container, location) else label_value(names.container)

    def _settled(self, process: Process) -> bool:
        return self._uptime() - process.started / self._ticks_per_second >= _SETTLED_SECONDS
