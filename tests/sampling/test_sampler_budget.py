"""What the budget makes of hosts that are slow, slow for a while, or have many namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from exporter.broker.wire import NamespaceTarget
from exporter.kernel.procfs.refcount import RefCount
from exporter.sampling.history.timeline import STALE_SECONDS
from exporter.sampling.schedule import MAX_INTERVAL_SECONDS
from exporter.sampling.sources.syn_recv import SynRecv
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.fake_access import FakeAccess, FakeRemote
from tests.sampling.fake_namespace import FakeNamespace, FakeRequest
from tests.sampling.simulation import TICK_SECONDS, Simulation, listener_of

BUDGET = 0.02
ROUNDING = 1e-6


def requests_of(kernel: FakeNamespace) -> tuple[FakeRequest, ...]:
    return kernel.tcp, kernel.unix, kernel.netstat, kernel.syn_recv_dump


@contextmanager
def slow(kernels: list[FakeNamespace], factor: float) -> Iterator[None]:
    """Let everything that is asked cost so many times as much."""
    requests = [request for kernel in kernels for request in requests_of(kernel)]
    for request in requests:
        request.cost *= factor
    yield
    for request in requests:
        request.cost /= factor


def intervals(simulation: Simulation) -> dict[tuple[str, str], float]:
    """The interval in force of each source, and of each other namespace."""
    of_sources = {
        (runner.netns, runner.name): runner.schedule.interval_in_force
        for runner in simulation.sampler.runners
    }
    slots = simulation.sampler.namespace_scheduler.slots
    return of_sources | {(slot.sampler.name, ""): slot.schedule.interval_in_force for slot in slots}


@pytest.mark.parametrize("namespaces", [0, 3])
@pytest.mark.parametrize(("counters_cost", "counters_interval"), [(0.00005, 1.0), (0.01, 4.0)])
def test_a_host_that_was_slow_is_at_the_full_rate_ten_seconds_after_it_is_fast_again(
    namespaces: int, counters_cost: float, counters_interval: float
) -> None:
    """20 times as slow for half a minute, as under a benchmark. This includes what is asked seldom."""
    others = FakeAccess()
    others.keep = True
    others.add(*range(1, 1 + namespaces))
    simulation = Simulation(others=others)
    simulation.run_loop_for(1.0)
    kernels = [simulation.kernel, *others.kernels.values()]
    for kernel in kernels:
        for request in requests_of(kernel):
            request.cost = 0.00005
    simulation.kernel.netstat.cost = counters_cost
    simulation.run_loop_for(10.0)
    before = intervals(simulation)
    assert before["host", "inet"] == TICK_SECONDS
    with slow(kernels, 20.0):
        simulation.run_loop_for(10.0)
        assert intervals(simulation)["host", "inet"] > TICK_SECONDS
        assert intervals(simulation)["host", "netstat"] >= counters_interval
        spent, started = simulation.clock.spent, simulation.clock.now
        simulation.run_loop_for(20.0)
        share = (simulation.clock.spent - spent) / (simulation.clock.now - started)
        # What is read every four seconds may cost more than its part.
        assert share <= 1.05 * BUDGET + 20 * counters_cost / MAX_INTERVAL_SECONDS
    simulation.run_loop_for(10.0)
    assert intervals(simulation) == before
    asked = [kernel.tcp.asked for kernel in kernels]
    simulation.run_loop_for(1.0 - TICK_SECONDS / 2)
    assert [kernel.tcp.asked - count for kernel, count in zip(kernels, asked, strict=True)] == [20] * len(
        kernels
    )


class SlowEverything(Simulation):
    """A host on which each source costs a share of a core that no small budget allows."""

    def __init__(self) -> None:
        others = FakeAccess()
        others.keep = True
        others.add(*range(1, 6))
        others.find_cost = 0.05
        others.costs = {str(inode): 0.05 for inode in range(1, 6)}
        super().__init__("sampling: {cpu_budget: 0.1%}", others=others)
        self.access = others
        self.asked: dict[str, int] = {}
        self.asked_at: dict[str, float] = {}
        self.gaps: dict[str, float] = {}
        self.unhealthy: set[tuple[str, str]] = set()
        for request in (*requests_of(self.kernel), self.kernel.oldest_wait, self.kernel.mptcp_dump):
            request.cost = 0.05
        self.kernel.tcp.open(tcp(1), length=1)
        self.kernel.unix.open(unix(2))
        # The search for owners goes on all the time.
        for pid in range(1000, 3000):
            self.host.run(pid, b"other")
        self.walk_cost = 0.02

    def check(self) -> None:
        """Note what is wrong at the time of the next sample."""
        assert max(intervals(self).values()) <= MAX_INTERVAL_SECONDS + ROUNDING
        now = self.clock.now
        self.unhealthy |= {
            (runner.netns, runner.name) for runner in self.sampler.runners if not runner.healthy(now)
        }


def test_with_a_tiny_budget_no_source_is_slower_than_every_four_seconds() -> None:
    """And no figure is older than five. The budget is exceeded for that, which is counted."""
    simulation = SlowEverything()
    simulation.run_loop_for(90.0)
    before = simulation.sampler.cpu_budget.exceeded_seconds
    simulation.run_loop_for(120.0, simulation.check)
    assert simulation.sampler.cpu_budget.exceeded_seconds - before == pytest.approx(120.0, abs=5.0)
    assert simulation.unhealthy == set()
    slowest = intervals(simulation)
    # `oldest_wait` costs nothing beside its walks, which have a limit of their own.
    names = ("inet", "unix", "netstat", "syn_recv", "namespaces", "owners")
    assert [slowest["host", name] for name in names] == [pytest.approx(MAX_INTERVAL_SECONDS)] * len(names)


class ManyNamespaces(Simulation):
    """110 namespaces whose queues are empty, and three in which a connection waits."""

    BUSY = ("1", "2", "3")

    def __init__(self, config: str = "{}", *, cost: float) -> None:
        others = FakeAccess()
        others.keep = True
        others.add(*range(1, 114))
        others.costs = {str(inode): cost for inode in range(1, 114)}
        super().__init__(config, others=others)
        self.kernels = others.kernels
        self.run_loop_for(1.0)
        for name in self.BUSY:
            self.kernels[name].tcp.change(1, length=1)

    def rates(self, seconds: float) -> tuple[list[float], list[float]]:
        """How often in a second busy namespaces were sampled, and quiet ones, in so many seconds."""
        before = {name: kernel.tcp.asked for name, kernel in self.kernels.items()}
        # The end is between two ticks.
        self.run_loop_for(seconds - TICK_SECONDS / 2)
        rates = {name: (kernel.tcp.asked - before[name]) / seconds for name, kernel in self.kernels.items()}
        return [rates.pop(name) for name in self.BUSY], list(rates.values())


def test_busy_namespaces_keep_the_full_rate_while_quiet_ones_share_the_rest_evenly() -> None:
    """Three request 12 of the 20 thousandths of a core, 110 others 440 for what is left."""
    simulation = ManyNamespaces(cost=0.0002)
    # What it costs is not known in the first second, which half a minute later counts no more.
    simulation.run_loop_for(40.0)
    exceeded = simulation.sampler.cpu_budget.exceeded_seconds
    spent, started = simulation.clock.spent, simulation.clock.now
    busy, quiet = simulation.rates(40.0)
    assert busy == [1 / TICK_SECONDS] * 3
    assert len(quiet) == 110
    # Eight thousandths make 40 samples a second, and each is sampled every 2.75 seconds.
    assert min(quiet) >= 1 / 2.75 - 1 / 40.0
    assert max(quiet) - min(quiet) <= 1 / 40.0 + ROUNDING
    assert simulation.clock.spent - spent <= 1.05 * BUDGET * (simulation.clock.now - started)
    assert simulation.sampler.cpu_budget.exceeded_seconds == exceeded


def test_to_find_out_whether_owners_are_the_same_leaves_most_of_the_budget_to_queues() -> None:
    """It would use all that it is given: there is always a process to look at."""
    simulation = ManyNamespaces(cost=0.0001)
    for pid in range(1000, 2000):
        simulation.host.run(pid, b"web", pid)
        simulation.kernel.tcp.open(tcp(pid, port=pid))
    simulation.run_loop_for(1.0)
    simulation.walk_cost = 0.001
    simulation.run_loop_for(30.0)
    looked = len(simulation.host.read_pids)
    _, quiet = simulation.rates(40.0)
    assert len(simulation.host.read_pids) - looked > 20
    assert min(quiet) > 0.7
    assert simulation.sampler.cpu_budget.window is not None
    assert not simulation.sampler.cpu_budget.window.exceeded


def test_where_the_budget_is_too_small_busy_namespaces_leave_a_tenth_to_the_quiet_ones() -> None:
    """Three request 0.06 of a core each and have 0.09 together, of a budget of 0.1."""
    simulation = ManyNamespaces("sampling: {cpu_budget: 10%}", cost=0.003)
    simulation.run_loop_for(10.0)
    busy, quiet = simulation.rates(40.0)
    # 0.03 of a core for each, which requests 0.06.
    assert busy == [pytest.approx(1 / (2 * TICK_SECONDS), rel=0.05)] * 3
    assert min(quiet) >= 1 / MAX_INTERVAL_SECONDS - 1 / 40.0
    assert max(quiet) - min(quiet) <= 1 / 40.0 + ROUNDING


def test_a_quiet_namespace_among_many_is_sampled_at_the_full_rate_as_soon_as_it_fills() -> None:
    """From the very sample that sees it on, and it slows the other busy ones down in no way."""
    simulation = ManyNamespaces(cost=0.00015)
    simulation.run_loop_for(10.0)
    slots = {slot.sampler.name: slot for slot in simulation.sampler.namespace_scheduler.slots}
    assert slots["57"].schedule.interval_in_force > 1.0
    kernel = simulation.kernels["57"].tcp
    kernel.change(1, length=1)
    asked = kernel.asked
    while kernel.asked == asked:
        simulation.run_loop_for(TICK_SECONDS / 2)
    asked = kernel.asked
    busy, _ = simulation.rates(10.0)
    assert kernel.asked - asked == 200
    assert busy == [1 / TICK_SECONDS] * 3
    assert [slots[name].quiet for name in (*simulation.BUSY, "57")] == [False] * 4


def test_after_another_interval_what_is_asked_seldom_follows_too() -> None:
    others = FakeAccess()
    others.add(1)
    others.costs = {"1": 0.1}
    simulation = Simulation("sampling: {cpu_budget: 0.1%}", others=others)
    simulation.run_loop_for(30.0)
    assert simulation.runner("netstat", "1").schedule.interval_in_force == MAX_INTERVAL_SECONDS
    others.kernels["1"].tcp.cost = 0.0
    simulation.configure("sampling: {interval: 100ms, cpu_budget: 50%}")
    simulation.run_loop_for(10.0)
    intervals = {
        name: simulation.runner(name, "1").schedule.interval_in_force
        for name in ("inet", "netstat", "syn_recv")
    }
    assert intervals == {"inet": 0.1, "netstat": pytest.approx(4.0), "syn_recv": pytest.approx(3.0)}


class TrafficAccess(FakeAccess):
    """Namespaces of which each has these costs and connections from the start."""

    def __init__(self, references_cost: float, waiting: int, syn_recv: int) -> None:
        super().__init__()
        self.keep = True
        self._references_cost = references_cost
        self._waiting = waiting
        self._syn_recv = syn_recv

    def namespace(self, name: str, target: NamespaceTarget) -> FakeRemote:
        remote = super().namespace(name, target)
        kernel = self.kernels[name]
        kernel.tcp.cost = 0.00003
        kernel.tcp.change(1, length=self._waiting)
        kernel.netstat.cost = 0.00007
        kernel.syn_recv_dump.cost = kernel.oldest_wait.cost = 0.02
        kernel.references.cost = self._references_cost
        kernel.repeats = 0
        set_syn_recv(kernel, self._syn_recv)
        return remote


def set_syn_recv(kernel: FakeNamespace, count: int) -> None:
    """Have so many half-open connections, in what a dump finds and in references."""
    kernel.syn_recv_dump.counts = {endpoint("10.0.0.1"): count} if count else {}
    kernel.references.held = {100: RefCount(1 + count, 0)}


class Traffic(Simulation):
    """110 namespaces in which connections come all the time, on a host where a walk takes 20 ms.

    To read references takes `references_cost`; in a namespace with no socket beside its listener that is a
    walk.
    """

    def __init__(self, *, references_cost: float = 0.00005, waiting: int = 1, syn_recv: int = 0) -> None:
        others = TrafficAccess(references_cost, waiting, syn_recv)
        others.add(*range(1, 111))
        super().__init__(others=others)
        self.kernels = others.kernels
        self.segments = 0
        self.kernel.syn_recv_dump.cost = 0.02
        self.kernel.references.held = {}
        self.kernel.tcp.cost = self.kernel.netstat.cost = 0.00005

    def receive(self) -> None:
        """Receive segments everywhere."""
        self.segments += 1
        for kernel in self.kernels.values():
            kernel.segments = self.segments

    def run(self, seconds: float) -> float:
        """Go on for so long, and return the share of a core that it took."""
        spent, started = self.clock.spent, self.clock.now
        self.run_loop_for(seconds, self.receive)
        return (self.clock.spent - spent) / (self.clock.now - started)


def test_namespaces_with_traffic_stay_within_the_budget_however_dear_a_walk_is() -> None:
    """In each a connection waits, so that all of them are busy; references tell that none is half-open."""
    simulation = Traffic()
    simulation.run(15.0)
    assert simulation.run(30.0) <= 1.05 * BUDGET
    slots = simulation.sampler.namespace_scheduler.slots
    assert {slot.quiet for slot in slots} == {False}
    assert max(slot.schedule.interval_in_force for slot in slots) <= 1.0
    now = simulation.clock.now
    assert {runner.healthy(now) for runner in simulation.sampler.runners if runner.netns != "host"} == {True}


def test_namespaces_where_connections_are_half_open_stay_within_the_budget() -> None:
    """Three in each from the start, so that a walk has to confirm them."""
    simulation = Traffic(waiting=0, syn_recv=3)
    simulation.run(15.0)
    assert simulation.run(30.0) <= 1.05 * BUDGET
    states = [listener_of(sampler, "0.0.0.0") for sampler in simulation.sampler.namespace_scheduler.samplers]
    assert {state.syn_recv.length for state in states if state.syn_recv} == {3}


def test_namespaces_in_which_references_cost_a_walk_stay_within_the_budget() -> None:
    """As those in which nothing but health checks connect: no connection is left when they are read."""
    simulation = Traffic(references_cost=0.004, waiting=0)
    simulation.run(15.0)
    assert simulation.run(30.0) <= 1.05 * BUDGET
    now = simulation.clock.now
    unhealthy = [runner for runner in simulation.sampler.runners if not runner.healthy(now)]
    assert unhealthy == []


@pytest.mark.parametrize("references_cost", [0.00005, 0.004])
def test_a_flood_in_one_of_many_namespaces_is_counted_within_five_seconds(references_cost: float) -> None:
    simulation = Traffic(references_cost=references_cost, waiting=0)
    simulation.run(20.0)
    kernel = simulation.kernels["57"]
    set_syn_recv(kernel, 20_000)
    # After a second each SYN-ACK is sent again.
    kernel.repeats = 20_000
    # With a connection of its family there, to read the references is no walk any more.
    kernel.references.cost = 0.00005
    simulation.run(STALE_SECONDS)
    (sampler,) = (each for each in simulation.sampler.namespaces if each.name == "57")
    queue = listener_of(sampler, "0.0.0.0").syn_recv
    assert queue is not None
    assert queue.length == 20_000
    set_syn_recv(kernel, 20_123)
    simulation.run(1.0)
    assert queue.length == 20_123
    assert sampler.source(SynRecv).disagreements == 0


def test_the_first_pass_is_of_the_listeners_of_all_namespaces() -> None:
    """What else is asked comes afterwards, ten milliseconds of it in a tick."""
    others = FakeAccess()
    others.keep = True
    others.add(*range(1, 151))
    simulation = Simulation(others=others)

    def asked(name: str) -> int:
        return sum(getattr(kernel, name).asked for kernel in others.kernels.values())

    while asked("tcp") < 150:
        simulation.sampler.sample()
        for kernel in others.kernels.values():
            kernel.netstat.cost = 0.004
    assert asked("netstat") <= 3
    before = asked("netstat")
    simulation.sampler.sample()
    assert 1 <= asked("netstat") - before <= 3
    simulation.run_loop_for(5.0)
    now = simulation.clock.now
    assert [runner.name for runner in simulation.sampler.runners if not runner.healthy(now)] == []
