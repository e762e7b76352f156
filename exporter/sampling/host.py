"""The sampler of this host, put together from the real kernel, processes and clocks."""

from __future__ import annotations

from dataclasses import replace

from exporter.config.model import Config
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.namespace import own_namespace
from exporter.kernel.processes.brokered import BrokeredProcesses
from exporter.owners.search import OwnerSearch
from exporter.sampling.clock import SYSTEM_CLOCK, Clock
from exporter.sampling.sampler import Sampler


def host_sampler(config: Config, broker: BrokerClient | None = None, clock: Clock = SYSTEM_CLOCK) -> Sampler:
    """Return the sampler of the exporter's own namespace, and of the others where the broker may enter them.

    A broker that may not enter namespaces still shows the sockets of other users' processes.
    """
    if broker is None:
        return Sampler(config, own_namespace(), None, OwnerSearch(), clock, clock)
    access = NamespaceAccess(broker) if broker.may_enter else None
    search = OwnerSearch(BrokeredProcesses(broker))
    broker_clock = replace(clock, cpu=lambda: clock.cpu() + broker.seconds())
    return Sampler(config, own_namespace(), access, search, clock, broker_clock)
