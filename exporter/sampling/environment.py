"""What a sampler reads: the kernel, the processes and the clocks of a host."""

from __future__ import annotations

from dataclasses import dataclass, replace

from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.namespace import Namespace, own_namespace
from exporter.kernel.processes.brokered import BrokeredProcesses
from exporter.owners.search import OwnerSearch
from exporter.sampling.clock import SYSTEM_CLOCK, Clock


@dataclass(frozen=True, slots=True)
class Environment:
    """A host, or what a test hands in for it.

    `own` is the namespace of the exporter, `others` the way into the other ones, None where there is none.
    `broker_clock` counts the broker's processor time beside that of the calling thread, for the sources that
    it works for.
    """

    own: Namespace
    others: NamespaceAccess | None
    owners: OwnerSearch
    clock: Clock
    broker_clock: Clock


def host_environment(broker: BrokerClient | None = None, clock: Clock = SYSTEM_CLOCK) -> Environment:
    """Return this host, as far as `broker` opens it.

    A broker that may not enter namespaces still shows the sockets of other users' processes.
    """
    if broker is None:
        return Environment(own_namespace(), None, OwnerSearch(), clock, clock)
    return Environment(
        own=own_namespace(),
        others=NamespaceAccess(broker) if broker.may_enter else None,
        owners=OwnerSearch(BrokeredProcesses(broker)),
        clock=clock,
        broker_clock=replace(clock, cpu=lambda: clock.cpu() + broker.seconds()),
    )
