"""Which of the other namespaces is sampled when, and what becomes of those that come, cost and go."""

from __future__ import annotations

import threading
from collections import Counter
from itertools import pairwise
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.broker.wire import NamespaceTarget
from exporter.config import parse
from exporter.kernel.errors import (
    KernelError,
    NamespaceGoneError,
    NamespaceReplacedError,
    UnavailableError,
    from_errno,
)
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.discovery import NamespaceRef
from exporter.sampling.environment import Environment
from exporter.sampling.namespace_sampler import NamespaceSampler
from exporter.sampling.namespace_scheduler import NamespaceScheduler
from exporter.sampling.source_runner import SourceRunner
from tests.owners.fake_host import FakeHost
from tests.sampling.fake_access import FakeAccess
from tests.sampling.fake_namespace import FakeNamespace
from tests.sampling.simulation import TICK_SECONDS, runner_of

AT_ONCE = 16


class Setup:
    """A scheduler with namespaces that a test makes."""

    def __init__(self, config: str = "", *, may_enter: bool = True) -> None:
        self.access = FakeAccess()
        self.clock = self.access.clock
        self.lock = self.access.lock = threading.Lock()
        self.reported: list[SourceRunner] = []
        self.more_due = False
        clock = self.clock.clock()
        others = cast("NamespaceAccess", self.access) if may_enter else None
        own = FakeNamespace(self.clock.spend).namespace()
        environment = Environment(own, others, FakeHost().owner_search(), clock, clock)
        self.scheduler = NamespaceScheduler(parse(config, "c.yaml"), environment, self.lock)

    def discover(self) -> None:
        """Look for namespaces, and take those that were found, without sampling them."""
        self.scheduler.discovery_runner.run(self.clock.now)
        self.scheduler.update()

    def tick(self, ticks: int = 1) -> None:
        """Do what the sampling loop does, so many times."""
        for _ in range(ticks):
            now = self.clock.now
            if self.scheduler.discovery_runner.schedule.is_due(now):
                self.scheduler.discovery_runner.run(now)
            self.more_due = self.scheduler.sample(now, self.reported.append)
            self.clock.now += TICK_SECONDS

    def configure(self, config: str) -> None:
        """Take another configuration."""
        with self.lock:
            self.scheduler.configure(parse(config, "c.yaml"))

    def names(self) -> list[str]:
        """The namespaces that are sampled."""
        assert len(self.scheduler.slots) == len(self.scheduler.samplers)
        return sorted(sampler.name for sampler in self.scheduler.samplers)

    def sampler(self, name: str) -> NamespaceSampler:
        """The namespace with this name."""
        (found,) = (sampler for sampler in self.scheduler.samplers if sampler.name == name)
        return found

    def inet(self, name: str) -> SourceRunner:
        """The runner of the TCP listeners of a namespace."""
        return runner_of(self.sampler(name).runners, "inet", name)

    def attached(self) -> Counter[str]:
        """How often each was attached since this was asked last."""
        counts = Counter(name for _, name in self.access.attached)
        self.access.attached.clear()
        return counts

    def set_costs(self, *costs: float) -> None:
        """Let samples of these namespaces cost so much, in the order in which they were found."""
        for slot, cost in zip(self.scheduler.slots, costs, strict=True):
            for _ in range(2):
                slot.schedule.note_cost(cost)

    def intervals(self) -> list[float]:
        """The interval in force of each namespace."""
        return [slot.schedule.interval_in_force for slot in self.scheduler.slots]


@pytest.fixture
def setup() -> Setup:
    """A scheduler with the default configuration."""
    return Setup()


def test_each_namespace_is_sampled_on_every_tick(setup: Setup) -> None:
    setup.access.add(1, 2, 3)
    setup.tick(20)
    assert setup.attached() == {"1": 20, "2": 20, "3": 20}
    assert setup.names() == ["1", "2", "3"]
    assert setup.access.kernels["2"].tcp.asked == 20
    assert not setup.more_due
    assert {runner.netns for runner in setup.reported} == {"1", "2", "3"}


def test_at_most_sixteen_at_once_and_the_longest_waiting_first(setup: Setup) -> None:
    setup.access.add(*range(100, 140))
    setup.tick(20)
    assert set(setup.access.calls) == {AT_ONCE}
    assert setup.more_due
    times: dict[str, list[float]] = {}
    for when, name in setup.access.attached:
        times.setdefault(name, []).append(when)
    gaps = [later - earlier for each in times.values() for earlier, later in pairwise(each)]
    assert max(gaps) <= 3 * TICK_SECONDS + 1e-9
    counts = setup.attached()
    assert len(counts) == 40
    assert max(counts.values()) <= 2 * min(counts.values())


def test_a_costly_namespace_is_slowed_and_the_others_are_not(setup: Setup) -> None:
    setup.access.costs = {"2": 0.01}
    setup.access.add(1, 2, 3)
    for _ in range(20):
        setup.tick()
        # A tenth of a core, of which the costly one requests a fifth.
        setup.scheduler.limit_to(0.1)
    assert setup.intervals() == [TICK_SECONDS, pytest.approx(2 * TICK_SECONDS), TICK_SECONDS]
    assert setup.inet("2").schedule.interval_in_force == pytest.approx(2 * TICK_SECONDS)
    setup.attached()
    setup.tick(20)
    counts = setup.attached()
    assert counts["1"] == counts["3"] == 20
    assert counts["2"] in {10, 11}


@given(st.lists(st.floats(1e-6, 1e-2), min_size=1, max_size=30))
def test_none_is_slowed_where_all_of_them_fit(costs: list[float]) -> None:
    setup = Setup()
    setup.access.add(*range(1, 1 + len(costs)))
    setup.discover()
    setup.set_costs(*costs)
    setup.scheduler.limit_to(setup.scheduler.requested_share())
    assert set(setup.intervals()) == {TICK_SECONDS}


def test_however_costly_a_namespace_waits_at_most_four_times_as_long_as_most(setup: Setup) -> None:
    setup.access.add(1, 2, 3)
    setup.discover()
    setup.set_costs(0.001, 1.0, 0.001)
    setup.scheduler.limit_to(0.01)
    cheap, costly, other = setup.intervals()
    assert cheap == other > TICK_SECONDS
    assert costly == pytest.approx(4 * cheap)


def test_a_new_namespace_is_sampled_as_often_as_most(setup: Setup) -> None:
    setup.access.add(1, 2, 3)
    setup.discover()
    setup.set_costs(0.001, 0.001, 0.001)
    setup.scheduler.limit_to(0.01)
    setup.access.add(4)
    setup.discover()
    intervals = setup.intervals()
    assert len(intervals) == 4
    assert len(set(intervals)) == 1
    assert intervals[0] > TICK_SECONDS


def test_what_the_broker_took_is_part_of_the_cost(setup: Setup) -> None:
    setup.access.add(1)
    setup.tick()
    (slot,) = setup.scheduler.slots
    assert slot.schedule.cost == 0
    setup.access.broker_seconds = 0.25
    setup.tick()
    assert slot.schedule.cost == pytest.approx(0.25)


def test_a_namespace_that_disappears_leaves_and_what_it_counted_stays(setup: Setup) -> None:
    setup.access.add(1, 2)
    setup.tick(10)
    setup.access.kernels["1"].tcp.error = KernelError("no", "EIO")
    setup.tick(5)
    del setup.access.refs[1]
    setup.tick(30)
    assert setup.names() == ["2"]
    past = setup.scheduler.past["inet"]
    # The next discovery finds out, a second after the first.
    assert past.samples == 10
    assert past.errors["EIO"] in {10, 11}
    assert setup.scheduler.past["unix"].samples == 10 + past.errors["EIO"]
    setup.access.add(1)
    setup.tick(25)
    assert setup.names() == ["1", "2"]
    assert setup.scheduler.past["inet"].samples == 10


def test_where_the_process_that_stood_for_a_namespace_ended_another_is_looked_for(setup: Setup) -> None:
    setup.access.add(1, 2)
    setup.tick(5)
    setup.access.errors["1"] = NamespaceGoneError("cannot enter", "ESRCH")
    setup.access.refs[1] = NamespaceRef(1, b"", NamespaceTarget(pid=99))
    setup.tick()
    del setup.access.errors["1"]
    setup.attached()
    setup.tick(4)
    # Another process was found within a tenth of a second, and the history goes on.
    assert setup.access.remotes["1"].target == NamespaceTarget(pid=99)
    assert setup.names() == ["1", "2"]
    assert setup.attached()["1"] >= 1
    assert setup.inet("1").stats.errors == Counter()


def test_a_namespace_that_was_replaced_goes_and_the_other_comes(setup: Setup) -> None:
    setup.access.add(1)
    setup.tick(5)
    (before,) = setup.scheduler.slots
    setup.access.errors["1"] = NamespaceReplacedError()
    setup.tick()
    assert setup.names() == []
    assert setup.scheduler.past["inet"].samples == 5
    del setup.access.errors["1"]
    setup.tick(4)
    assert setup.names() == ["1"]
    assert setup.scheduler.slots[0] is not before
    assert setup.access.kernels["1"].tcp.asked >= 1


def test_a_namespace_that_may_not_be_entered_fails_and_keeps_none_of_the_others_out(setup: Setup) -> None:
    setup.access.add(1, 2)
    setup.access.errors["1"] = from_errno("cannot enter", 1)
    setup.tick(9)
    failed = setup.sampler("1")
    assert [runner.name for runner in failed.runners if runner.healthy(setup.clock.now)] == []
    assert setup.inet("1").stats.errors["EPERM"] in {4, 5}
    assert setup.inet("1") in setup.reported
    assert setup.inet("2").healthy(setup.clock.now)
    assert setup.inet("2").stats.samples == 9
    assert setup.scheduler.discovery_runner.error is None


@pytest.mark.parametrize("after", [0, 2])
def test_a_lost_broker_fails_the_discovery_and_samples_go_on_later(setup: Setup, after: int) -> None:
    setup.access.add(1, 2, 3, 4)
    setup.tick(3)
    setup.access.lost_after = after
    setup.tick()
    discovery = setup.scheduler.discovery_runner
    assert discovery.error is not None
    assert discovery.stats.errors == {"broker": 1}
    assert setup.reported[-1] is discovery
    setup.access.lost_after = None
    setup.attached()
    # The next broker needs a moment to start.
    setup.tick()
    assert setup.attached() == {}
    setup.tick(30)
    assert setup.attached().keys() == {"1", "2", "3", "4"}
    assert discovery.healthy(setup.clock.now)
    assert setup.names() == ["1", "2", "3", "4"]
    assert setup.scheduler.broker_restarts() == 3


def test_a_discovery_that_fails_leaves_everything_as_it_was(setup: Setup) -> None:
    setup.access.add(1, 2)
    setup.tick(3)
    setup.access.find_error = KernelError("cannot look", "broker")
    setup.tick(40)
    assert setup.names() == ["1", "2"]
    assert setup.scheduler.discovery_runner.error is setup.access.find_error
    assert setup.access.kernels["1"].tcp.asked == 43


def test_a_namespace_that_gets_a_name_starts_afresh_under_it(setup: Setup) -> None:
    setup.access.add(1)
    setup.tick(2)
    setup.access.add(1, name="web")
    setup.tick(25)
    assert setup.names() == ["web"]
    assert setup.scheduler.past["inet"].samples > 0


def test_counters_wait_for_four_slots(setup: Setup) -> None:
    setup.access.add(1)
    setup.tick()
    (slot,) = setup.scheduler.slots
    # Every half second, so that four slots are longer than the second that counters wait anyway.
    slot.set_min_interval(10 * TICK_SECONDS)
    netstat, tcp = setup.access.kernels["1"].netstat, setup.access.kernels["1"].tcp
    before = netstat.asked, tcp.asked
    setup.access.files.clear()
    setup.tick(401)
    assert tcp.asked - before[1] in {40, 41}
    assert netstat.asked - before[0] in {10, 11}
    assert sum(len(files) > 2 for _, files in setup.access.files) in {10, 11}


def test_enabled_without_the_capabilities_is_a_source_that_fails() -> None:
    setup = Setup("namespaces: {enabled: true}", may_enter=False)
    setup.tick(3)
    assert setup.scheduler.discovery.wanted
    assert setup.scheduler.discovery_runner.method == "own"
    assert setup.scheduler.broker_restarts() == 0
    assert isinstance(setup.scheduler.discovery_runner.error, UnavailableError)
    assert not setup.scheduler.discovery_runner.healthy(setup.clock.now)


def test_auto_without_the_capabilities_is_not_wanted() -> None:
    setup = Setup(may_enter=False)
    setup.access.add(1)
    setup.tick(3)
    assert not setup.scheduler.discovery.wanted
    assert setup.scheduler.discovery_runner.error is None
    assert setup.names() == []


def test_another_configuration_is_in_force_at_once(setup: Setup) -> None:
    setup.access.add(1, 2)
    setup.tick(3)
    setup.configure("namespaces: {include: ['2']}")
    setup.tick()
    assert setup.names() == ["2"]
    setup.configure("sampling: {interval: 200ms}")
    setup.tick()
    assert setup.names() == ["1", "2"]
    setup.attached()
    setup.tick(40)
    assert setup.attached()["1"] in {10, 11}
    setup.configure("namespaces: {enabled: false}")
    setup.tick()
    assert setup.names() == []
    assert setup.scheduler.past["inet"].samples > 0
    setup.tick(30)
    assert setup.names() == []
    setup.configure("")
    setup.tick()
    assert setup.names() == ["1", "2"]


def test_a_configuration_that_comes_in_the_middle_of_a_sample_disturbs_nothing(setup: Setup) -> None:
    """The signal and the endpoint for it come from other threads."""
    setup.access.add(*range(1, 9))
    setup.tick(2)
    setup.access.kernels["1"].tcp.on_answer = lambda: setup.configure("namespaces: {enabled: false}")
    setup.access.errors["8"] = NamespaceReplacedError()
    setup.tick(3)
    assert setup.names() == []
