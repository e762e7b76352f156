"""Owners of listeners in several namespaces, which come and go while others are sampled."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import KernelError
from exporter.sampling.namespace_sampler import NamespaceSampler
from tests.listeners.sockets import tcp, unix
from tests.sampling.fake_access import FakeAccess
from tests.sampling.fake_namespace import FakeNamespace
from tests.sampling.simulation import TICK_SECONDS, Simulation

WEB = 4711
WEB_PATH = b"/system.slice/web.service"
LONGER_THAN_A_STEP = 0.02


class ManyNamespaces(Simulation):
    """A sampler with other namespaces that a test makes."""

    def __init__(self) -> None:
        self.access = FakeAccess()
        super().__init__(others=self.access)

    def add(self, inode: int, name: str) -> FakeNamespace:
        """Make a namespace with one listener, of inode 100; it is found, and not sampled yet."""
        self.access.add(inode, name=name)
        self.sampler.namespace_scheduler.discovery_runner.run(self.clock.now)
        self.sampler.namespace_scheduler.update(self.clock.now)
        return self.access.kernels[name]

    def remove(self, inode: int) -> None:
        """Let a namespace disappear."""
        del self.access.refs[inode]
        self.sampler.namespace_scheduler.discovery_runner.schedule.run_now()

    def sampler_of(self, name: str) -> NamespaceSampler:
        """The namespace with this name."""
        (found,) = (each for each in self.sampler.namespaces if each.name == name)
        return found

    def processes(self, name: str) -> list[str | None]:
        """The owner of each listener of a namespace."""
        states = self.sampler_of(name).table.states.values()
        return [state.owner.process if state.owner else None for state in states]

    def mptcp(self, name: str) -> list[bool]:
        """Whether each listener of a namespace is MPTCP's."""
        return [state.mptcp for state in self.sampler_of(name).table.states.values()]


@pytest.fixture
def simulation() -> ManyNamespaces:
    return ManyNamespaces()


def start_long_search(simulation: Simulation) -> None:
    """Begin a search in a thousand processes."""
    simulation.tick()
    for pid in range(1000, 2000):
        simulation.host.run(pid, b"other")
    simulation.walk_cost = LONGER_THAN_A_STEP
    simulation.kernel.unix.open(unix(90))
    simulation.tick(3)


def test_a_new_namespace_has_owners_within_its_first_second(simulation: ManyNamespaces) -> None:
    """Also while a search is under way for which the budget slowed the source down."""
    start_long_search(simulation)
    simulation.run_for(2.0)
    assert simulation.runner("owners").schedule.interval_in_force >= 1.0
    simulation.host.cgroups.paths = {WEB: WEB_PATH}
    simulation.host.run(20, b"web", 700, cgroup=WEB_PATH)
    kernel = simulation.add(1, "box")
    kernel.tcp.close(1)
    kernel.tcp.open(tcp(7, cgroup_id=WEB))
    simulation.run_for(10 * TICK_SECONDS)
    assert simulation.processes("box") == ["web"]


def test_the_sockets_of_a_namespace_go_with_it(simulation: ManyNamespaces) -> None:
    simulation.kernel.tcp.open(tcp(2))
    simulation.add(1, "box")
    simulation.tick(2)
    assert simulation.sampler.owners.sockets_without_owner == 2
    simulation.remove(1)
    simulation.tick(2)
    assert simulation.sampler.owners.sockets_without_owner == 1


def test_one_that_cannot_tell_what_is_mptcp_harms_no_other(simulation: ManyNamespaces) -> None:
    simulation.add(1, "gone").mptcp_dump.error = KernelError("dump failed", "ESRCH")
    kernel = simulation.add(2, "box")
    kernel.tcp.close(1)
    kernel.tcp.open(tcp(8))
    kernel.mptcp = frozenset({800})
    simulation.host.run(20, b"web", 100, 800)
    simulation.tick(2)
    assert (simulation.processes("gone"), simulation.processes("box")) == (["web"], ["web"])
    assert (simulation.mptcp("gone"), simulation.mptcp("box")) == ([False], [True])
    assert simulation.runner("owners").healthy(simulation.clock.now)
    assert simulation.runner("owners").stats.errors["ESRCH"] >= 1


def test_what_is_mptcp_is_asked_again_only_where_sockets_changed(simulation: ManyNamespaces) -> None:
    kernel = simulation.add(1, "box")
    kernel.mptcp = frozenset({100})
    for cookie in range(20, 30):
        simulation.kernel.tcp.open(tcp(cookie, port=cookie))
        simulation.tick()
    assert kernel.mptcp_dump.asked == 1
    assert simulation.mptcp("box") == [True]


def test_a_listener_of_which_one_socket_is_still_looked_for_keeps_its_owner(
    simulation: ManyNamespaces,
) -> None:
    """Others are found meanwhile; it must not lose its owner until its other socket is found too."""
    simulation.host.run(20, b"web", 100, cgroup=WEB_PATH)
    simulation.kernel.tcp.open(tcp(1))
    simulation.tick()
    start_long_search(simulation)
    simulation.host.cgroups.paths = {WEB: WEB_PATH}
    simulation.host.run(20, b"web", 100, 200, 300, cgroup=WEB_PATH)
    simulation.kernel.tcp.open(tcp(2))
    simulation.kernel.tcp.open(tcp(3, port=443, cgroup_id=WEB))
    # A namespace that comes has the search run at once, however slow the budget has made it.
    simulation.add(1, "box")
    simulation.tick()
    for _ in range(20):
        if simulation.listener("0.0.0.0", "443").owner is not None:
            break
        simulation.tick()
    assert simulation.listener("0.0.0.0", "443").owner is not None
    owner = simulation.listener("0.0.0.0").owner
    assert owner is not None
    assert owner.process == "web"
