"""What a sampler reads: the kernel, the processes and the clocks of a host."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Final, Self

from exporter.broker.supervisor import StartedBrokers
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.broker_client import TIMEOUT_SECONDS, BrokerClient
from exporter.kernel.netns.namespace import Namespace, own_namespace
from exporter.kernel.processes.brokered import BrokeredProcesses
from exporter.kernel.processes.cgroups import CgroupTree
from exporter.kernel.processes.cpu_clock import process_seconds
from exporter.kernel.processes.file_broker import FileBrokerClient
from exporter.kernel.processes.files import (
    BrokeredProcessFiles,
    DirectProcessFiles,
    HeldSocket,
    ProcessFiles,
    SocketFile,
)
from exporter.kernel.processes.process import Processes, ProcessTable
from exporter.owners import programs, socket_paths
from exporter.owners.answers import Repetition
from exporter.owners.background import BackgroundLookups
from exporter.owners.container_name_cache import ContainerNameCache
from exporter.owners.container_name_lookups import ContainerNameLookups
from exporter.owners.host_files import FileReader, ProtectedHostFiles
from exporter.owners.lookup_batch import BatchLookup
from exporter.owners.lookup_threads import LookupThreads
from exporter.owners.programs import ProcessId, Programs
from exporter.owners.runtimes.running_daemons import RunningDaemons
from exporter.owners.search import OwnerSearch, OwnerSources
from exporter.owners.socket_paths import SocketPaths
from exporter.owners.user_names import user_names
from exporter.owners.workloads import Workloads
from exporter.sampling.clock import SYSTEM_CLOCK, Clock
from exporter.sandbox.kinds import Sandboxes

_EXPORTER: Final = "exporter"


@dataclass(frozen=True, slots=True)
class Environment:
    """A host, or what a test hands in for it.

    `own` is the namespace of the exporter, `others` the way into the other ones, None where there is none.
    `broker_clock` counts the broker's processor time beside that of the calling thread, for the sources that
    it works for. `cpu_clocks` tell the processor time of each process of the exporter, in seconds.
    `workloads` finds the pods and containers by which the others are named. `sandboxes` tell what each
    process of the exporter is confined to: by the kind, whether that is in force.
    """

    own: Namespace
    others: NamespaceAccess | None
    owners: OwnerSearch
    clock: Clock
    broker_clock: Clock
    cpu_clocks: Mapping[str, Callable[[], float]]
    workloads: Workloads | None = None
    sandboxes: Sandboxes = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Brokers:
    """What asks the two brokers: the one that opens namespaces and /proc, and the one that reads files."""

    broker: BrokerClient
    files: FileBrokerClient

    @classmethod
    def of(cls, started: StartedBrokers, timeout_seconds: float = TIMEOUT_SECONDS) -> Self:
        """Return what asks these; the first is given up when it does not answer for `timeout_seconds`."""
        client = BrokerClient(
            started.channel,
            capabilities=started.capabilities,
            timeout_seconds=timeout_seconds,
            supervisor=started.supervisor,
        )
        return cls(client, FileBrokerClient(started.file_channel))

    def seconds(self) -> float:
        """Return the processor time that both have used, in seconds."""
        return self.broker.seconds() + self.files.seconds()


def owner_search(
    processes: ProcessTable, files: ProcessFiles, runtimes: FileReader | None = None
) -> OwnerSearch:
    """Return a search for owners on this host. What may hang is read from `files`, in threads.

    `runtimes` reads what container runtimes write, as this process may unless told otherwise.
    """
    threads = LookupThreads()
    arguments = BackgroundLookups[ProcessId, tuple[bytes, ...]](
        lambda process: files.arguments(process.pid, process.started),
        threads,
        "the arguments of a process",
        origin=lambda process: (process.pid, process.started),
        repetition=Repetition(max_age_seconds=programs.MAX_AGE_SECONDS),
    )
    socket_files = BackgroundLookups[HeldSocket, SocketFile](
        BatchLookup(files.find_sockets, files.max_sockets),
        threads,
        "the file of a unix socket",
        origin=lambda held: (held.pid, held.started),
        repetition=Repetition(max_age_seconds=socket_paths.MAX_AGE_SECONDS),
    )
    return OwnerSearch(
        OwnerSources(
            processes,
            Programs(processes, arguments),
            SocketPaths(socket_files),
            CgroupTree(),
            _container_names(files, threads, runtimes),
            user_names(files, threads, LookupThreads()),
        )
    )


def _container_names(
    files: ProcessFiles, threads: LookupThreads, runtimes: FileReader | None
) -> ContainerNameLookups:
    """Return the names of containers; the arguments of daemons are among what may hang."""
    names = ContainerNameCache(runtimes, daemons=RunningDaemons(files.arguments))
    return ContainerNameLookups(names, threads)


def host_environment(
    brokers: Brokers | None = None, clock: Clock = SYSTEM_CLOCK, sandboxes: Sandboxes | None = None
) -> Environment:
    """Return this host, as far as the brokers open it.

    A broker that may not enter namespaces still shows the sockets of other users' processes.
    """
    cpu_clocks: dict[str, Callable[[], float]] = {_EXPORTER: time.process_time}
    if brokers is None:
        owners = owner_search(Processes(), DirectProcessFiles())
        return Environment(own_namespace(), None, owners, clock, clock, cpu_clocks, None, sandboxes or {})
    broker = brokers.broker
    if broker.supervisor is not None:
        cpu_clocks["supervisor"] = partial(process_seconds, broker.supervisor)
    processes, files = BrokeredProcesses(broker), BrokeredProcessFiles(brokers.files)
    runtimes = ProtectedHostFiles(brokers.files.read_host_file)
    return Environment(
        own=own_namespace(),
        others=NamespaceAccess(broker) if broker.may_enter else None,
        owners=owner_search(processes, files, runtimes),
        clock=clock,
        broker_clock=replace(clock, cpu=lambda: clock.cpu() + broker.seconds()),
        cpu_clocks=cpu_clocks | {"broker": brokers.seconds},
        workloads=Workloads((Processes(), processes), _container_names(files, LookupThreads(), runtimes)),
        sandboxes=sandboxes or {},
    )
