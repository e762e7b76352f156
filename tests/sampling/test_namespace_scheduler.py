"""Which of the other namespaces is sampled when, and what becomes of those that come, cost and go."""

from __future__ import annotations

import math
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
from exporter.owners.workloads import Workload, Workloads
from exporter.sampling.environment import Environment
from exporter.sampling.history.timeline import STALE_SECONDS
from exporter.sampling.namespace_sampler import NamespaceSampler, SharedBySamplers
from exporter.sampling.namespace_scheduler import NamespaceScheduler
from exporter.sampling.schedule import MAX_INTERVAL_SECONDS
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.walk_limit import WalkLimit
from tests.owners.fake_host import FakeHost
from tests.sampling.fake_access import FakeAccess
from tests.sampling.fake_namespace import FakeNamespace
from tests.sampling.fake_workloads import FakeWorkloads
from tests.sampling.simulation import TICK_SECONDS, Simulation, runner_of

AT_ONCE = NamespaceAccess.max_at_once
LATE_SECONDS = 0.0001


class Setup:
    """A scheduler with namespaces that a test makes."""

    def __init__(self, config: str = "{}", *, may_enter: bool = True) -> None:
        self.access = FakeAccess()
        self.clock = self.access.clock
        self.lock = self.access.lock = threading.Lock()
        self.reported: list[SourceRunner] = []
        self.more_due = False
        clock = self.clock.clock()
        others = cast("NamespaceAccess", self.access) if may_enter else None
        own = FakeNamespace(self.clock.spend).namespace()
        self.workloads = FakeWorkloads(others=Workload("", 0))
        workloads = cast("Workloads", self.workloads)
        environment = Environment(own, others, FakeHost().owner_search(), clock, clock, {}, workloads)
        parsed = parse(config, "c.yaml")
        shared = SharedBySamplers(self.lock, clock, WalkLimit(parsed))
        self.scheduler = NamespaceScheduler(parsed, environment, shared)

    def discover(self) -> None:
        """Look for namespaces, and take those that were found, without sampling them."""
        self.scheduler.discovery_runner.run(self.clock.now)
        self.scheduler.update(self.clock.now)

    def limit_to(self, share: float) -> None:
        """Divide `share` of one core among the namespaces."""
        shares = self.scheduler.shares([])
        shares.limit_to(share, self.clock.now)
        self.scheduler.follow(shares, self.clock.now)

    def tick(self, ticks: int = 1) -> None:
        """Do what the sampling loop does, so many times."""
        for _ in range(ticks):
            now = self.clock.now
            self.scheduler.detach_ended(now)
            if self.scheduler.discovery_runner.schedule.is_due(now, 0.001):
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

    def fill(self, *names: str) -> None:
        """Let a connection wait in these namespaces."""
        for name in names:
            self.access.kernels[name].tcp.change(1, length=1)

    def asked(self) -> dict[str, int]:
        """How often the TCP listeners of each namespace were asked for."""
        return {name: kernel.tcp.asked for name, kernel in self.access.kernels.items()}

    def attached(self) -> Counter[str]:
        """How often each was attached since this was asked last."""
        counts = Counter(name for _, name in self.access.attached)
        self.access.attached.clear()
        return counts

    def set_costs(self, *costs: float) -> None:
        """Let samples of these namespaces cost so much, in the order in which they were found."""
        for slot, cost in zip(self.scheduler.slots, costs, strict=True):
            for _ in range(2):
                slot.schedule.note_cost(cost, self.clock.now)

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
    assert setup.reported == []


def test_at_most_thirty_two_at_once_and_the_longest_waiting_first(setup: Setup) -> None:
    setup.access.add(*range(100, 180))
    for _ in range(20):
        setup.tick()
        # A tick comes a little late, so that no due time is missed by rounding.
        setup.clock.now += LATE_SECONDS
    assert set(setup.access.calls) == {AT_ONCE}
    assert setup.more_due
    times: dict[str, list[float]] = {}
    for when, name in setup.access.attached:
        times.setdefault(name, []).append(when)
    gaps = [later - earlier for each in times.values() for earlier, later in pairwise(each)]
    assert max(gaps) <= 3 * (TICK_SECONDS + LATE_SECONDS) + 1e-9
    counts = setup.attached()
    assert len(counts) == 80
    assert max(counts.values()) <= 2 * min(counts.values())


def test_a_costly_namespace_is_slowed_and_the_others_are_not(setup: Setup) -> None:
    setup.access.costs = {"2": 0.01}
    setup.access.add(1, 2, 3)
    for _ in range(20):
        setup.tick()
        # A tenth of a core, of which the costly one requests a fifth.
        setup.limit_to(0.1)
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
    setup.limit_to(setup.scheduler.shares([]).requested_share())
    assert set(setup.intervals()) == {TICK_SECONDS}


def test_however_costly_a_namespace_waits_four_seconds_at_most(setup: Setup) -> None:
    setup.access.add(1, 2, 3)
    setup.discover()
    setup.set_costs(0.001, 1.0, 0.001)
    setup.limit_to(0.01)
    cheap, costly, other = setup.intervals()
    assert cheap == other > TICK_SECONDS
    assert costly == MAX_INTERVAL_SECONDS


def test_a_new_namespace_is_sampled_as_often_as_most(setup: Setup) -> None:
    setup.access.add(1, 2, 3)
    setup.discover()
    setup.set_costs(0.001, 0.001, 0.001)
    setup.limit_to(0.01)
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


def test_a_namespace_is_sampled_as_soon_as_its_label_is_known(setup: Setup) -> None:
    """Which is looked for each fifth of a second meanwhile."""
    setup.workloads.others = None
    setup.access.add(1, 2)
    setup.workloads.run(2, "db")
    setup.tick(3)
    assert setup.names() == ["db"]
    assert setup.scheduler.wake_at(math.inf) <= setup.clock.now + 0.2
    setup.workloads.asked.clear()
    setup.tick(4)
    assert setup.workloads.asked == [1]
    setup.workloads.run(1, "web")
    setup.tick(5)
    assert setup.names() == ["db", "web"]
    # All processes are looked at once a second nevertheless.
    assert len(setup.access.found_at) == 1
    setup.workloads.asked.clear()
    setup.tick(30)
    assert setup.workloads.asked == []


def test_the_thread_wakes_up_for_a_label_also_where_nothing_is_sampled(setup: Setup) -> None:
    setup.workloads.others = None
    setup.access.add(1)
    setup.tick()
    assert setup.scheduler.wake_at(math.inf) - setup.clock.now <= 0.2
    setup.tick(15)
    assert setup.names() == ["1"]


def test_a_label_that_is_waited_for_is_none_any_more_where_no_namespace_is_wanted(setup: Setup) -> None:
    setup.workloads.others = None
    setup.access.add(1)
    setup.tick(2)
    setup.configure("namespaces: {enabled: false}")
    setup.workloads.run(1, "web")
    setup.tick(30)
    assert setup.names() == []
    assert setup.scheduler.discovery.labels_due is None


def test_another_namespace_with_the_number_of_one_does_not_get_its_label(setup: Setup) -> None:
    setup.workloads.run(1, "web")
    setup.access.add(1)
    setup.tick(5)
    assert setup.names() == ["web"]
    setup.access.errors["web"] = NamespaceReplacedError()
    setup.workloads.run(1, "db")
    setup.tick(5)
    assert setup.names() == ["db"]


def test_what_was_never_entered_is_named_anew_when_another_process_stands_for_it(setup: Setup) -> None:
    """It may be another namespace, which nothing would tell."""
    setup.workloads.run(1, "web")
    setup.access.add(1)
    setup.access.errors["web"] = NamespaceGoneError("cannot enter", "ESRCH")
    setup.tick(1)
    setup.workloads.run(99, "db")
    setup.access.refs[1] = NamespaceRef(1, b"", NamespaceTarget(pid=99), 99)
    setup.tick(5)
    assert setup.names() == ["db"]
    assert setup.access.kernels["web"].tcp.asked == 0
    assert setup.access.kernels["db"].tcp.asked >= 1


def test_what_was_entered_keeps_its_label_when_another_process_stands_for_it(setup: Setup) -> None:
    setup.workloads.run(1, "web")
    setup.access.add(1)
    setup.tick(5)
    setup.workloads.run(99, "db")
    setup.access.refs[1] = NamespaceRef(1, b"", NamespaceTarget(pid=99), 99)
    setup.tick(25)
    assert setup.names() == ["web"]


def test_rules_match_the_number_beside_the_label() -> None:
    rule = "{name: asked, match: {netns: '4026532001'}}"
    setup = Setup(f"rules: [{rule}]")
    setup.workloads.run(4026532001, "web")
    setup.access.add(4026532001)
    setup.tick(3)
    (state,) = setup.sampler("web").table.states.values()
    assert state.rule_match is not None
    assert state.rule_match.rule == "asked"
    setup.configure(f"rules: [{rule.replace('4026532001', '4026532002')}]")
    other = parse(f"rules: [{rule.replace('2001', '2002')}]", "c.yaml")
    setup.sampler("web").configure(other, setup.clock.now)
    assert state.rule_match.rule == "defaults"


def test_a_namespace_that_may_not_be_entered_fails_and_keeps_none_of_the_others_out(setup: Setup) -> None:
    setup.access.add(1, 2)
    setup.access.errors["1"] = from_errno("cannot enter", 1)
    setup.tick(45)
    failed = setup.sampler("1")
    assert [runner.name for runner in failed.runners if runner.healthy(setup.clock.now)] == []
    assert setup.inet("1").stats.errors["EPERM"] in {2, 3}
    assert setup.inet("1") in setup.reported
    assert setup.inet("2").healthy(setup.clock.now)
    assert setup.inet("2").stats.samples == 45
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


def test_a_broker_that_stays_lost_is_reported_once_and_so_is_its_return(setup: Setup) -> None:
    setup.access.add(1, 2)
    setup.tick(3)
    setup.access.lost_after = 0
    setup.tick(60)
    discovery = setup.scheduler.discovery_runner
    assert setup.reported == [discovery]
    setup.access.lost_after = None
    setup.tick(60)
    assert discovery.error is None
    assert discovery.error_changed()


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


def test_counters_of_a_quiet_namespace_are_read_more_seldom_and_of_a_busy_one_every_second(
    setup: Setup,
) -> None:
    setup.access.add(1, 2)
    setup.tick()
    setup.fill("2")
    setup.tick(20)
    before = {name: kernel.netstat.asked for name, kernel in setup.access.kernels.items()}
    setup.tick(800)
    asked = {name: kernel.netstat.asked - before[name] for name, kernel in setup.access.kernels.items()}
    assert asked == {"1": 10, "2": 40}


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
    setup.configure("{}")
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


@pytest.mark.parametrize("keep", [False, True])
def test_everything_is_asked_in_the_first_tick_where_there_is_time(setup: Setup, *, keep: bool) -> None:
    """Of one that stays attached, when the listeners of all are known; of another one, while it is."""
    setup.access.keep = keep
    setup.access.add(1, 2, 3)
    setup.tick()
    assert {kernel.netstat.asked for kernel in setup.access.kernels.values()} == {1}
    assert (setup.attached(), setup.more_due) == ({"1": 1, "2": 1, "3": 1}, False)
    assert setup.scheduler.all_sampled()


def test_while_first_samples_have_to_wait_the_next_tick_is_due_at_once(setup: Setup) -> None:
    setup.access.keep = True
    setup.access.add(*range(1, 9))
    setup.discover()
    for kernel in setup.access.kernels.values():
        kernel.netstat.cost = 0.006
    waited = []
    while not setup.scheduler.all_sampled():
        setup.scheduler.sample(setup.clock.now, setup.reported.append)
        waited.append(sum(kernel.netstat.asked for kernel in setup.access.kernels.values()))
    assert waited == [2, 4, 6, 8]
    assert setup.scheduler.listeners_sampled()


def test_one_that_is_gone_before_its_first_samples_is_not_asked(setup: Setup) -> None:
    setup.access.keep = True
    setup.access.add(*range(1, 9))
    setup.discover()
    for kernel in setup.access.kernels.values():
        kernel.netstat.cost = 0.02
    setup.scheduler.sample(setup.clock.now, setup.reported.append)
    del setup.access.refs[8]
    setup.discover()
    while not setup.scheduler.all_sampled():
        setup.scheduler.sample(setup.clock.now, setup.reported.append)
    assert [kernel.netstat.asked for kernel in setup.access.kernels.values()] == [1] * 7 + [0]


def test_namespaces_that_stay_attached_are_sampled_without_the_broker(setup: Setup) -> None:
    setup.access.keep = True
    setup.access.add(1, 2, 3)
    setup.tick(20)
    assert setup.attached() == {"1": 1, "2": 1, "3": 1}
    assert setup.asked() == {"1": 20, "2": 20, "3": 20}
    assert setup.access.calls == [3]
    # Every file is brought, since the broker is not asked again.
    slot = setup.scheduler.slots[0]
    assert setup.access.files == [(name, slot.file_names) for name in ("1", "2", "3")]


def test_those_that_cannot_stay_attached_are_attached_each_time(setup: Setup) -> None:
    setup.access.keep = True
    setup.access.add(1, 2)
    setup.tick()
    setup.access.keep = False
    setup.access.add(3)
    setup.discover()
    setup.attached()
    before = setup.asked()
    setup.tick(10)
    assert setup.attached() == {"3": 10}
    assert {name: count - before[name] for name, count in setup.asked().items()} == dict.fromkeys("123", 10)


def test_a_lost_broker_keeps_none_from_being_sampled_that_is_attached(setup: Setup) -> None:
    setup.access.keep = True
    setup.access.add(1, 2)
    setup.tick()
    setup.access.lost_after = 0
    setup.access.find_error = KernelError("cannot look", "broker")
    setup.tick(40)
    assert setup.asked() == {"1": 41, "2": 41}
    assert setup.inet("1").healthy(setup.clock.now)


def test_where_the_process_that_stood_for_it_ended_it_is_not_asked_before_the_discovery(setup: Setup) -> None:
    """Which follows within a tenth of a second and finds another one; then it goes on."""
    setup.access.keep = True
    setup.access.add(1, 2)
    setup.tick(5)
    setup.access.end("1")
    setup.access.refs[1] = NamespaceRef(1, b"", NamespaceTarget(pid=99))
    ended_at, before = setup.clock.now, setup.asked()
    setup.attached()
    while setup.access.found_at[-1] < ended_at:
        setup.tick()
        assert setup.asked()["1"] == before["1"]
        assert not setup.access.remotes["1"].attached
    assert setup.access.found_at[-1] == pytest.approx(ended_at + 0.1)
    setup.tick(3)
    assert setup.attached() == {"1": 1}
    assert setup.access.remotes["1"].target == NamespaceTarget(pid=99)
    assert setup.asked()["1"] > before["1"]
    # Neither the history nor the other namespace suffers.
    assert setup.inet("1").stats.samples == setup.asked()["1"]
    assert setup.inet("1").stats.errors == Counter()
    assert setup.reported == []
    assert setup.asked()["2"] == before["2"] + 6
    assert setup.inet("2").stats.missed == 0


def test_a_discovery_that_is_due_soon_anyway_is_not_postponed_for_one_that_ended(setup: Setup) -> None:
    setup.access.keep = True
    setup.access.add(1)
    setup.tick(19)
    setup.access.end("1")
    setup.tick(2)
    assert setup.access.found_at == [1000.0, pytest.approx(1001.0)]


def test_a_namespace_whose_last_process_ended_goes_with_the_discovery(setup: Setup) -> None:
    setup.access.keep = True
    setup.access.add(1, 2)
    setup.tick(5)
    setup.access.end("1")
    del setup.access.refs[1]
    before = setup.asked()
    setup.attached()
    setup.tick(3)
    assert setup.names() == ["2"]
    assert setup.asked()["1"] == before["1"]
    assert setup.attached() == {}
    assert setup.scheduler.past["inet"].samples == before["1"]


def test_the_end_of_one_that_is_gone_already_changes_nothing(setup: Setup) -> None:
    setup.access.keep = True
    setup.access.add(1, 2)
    setup.tick(5)
    del setup.access.refs[1]
    setup.scheduler.discovery_runner.schedule.run_now()
    setup.tick()
    assert setup.names() == ["2"]
    assert not setup.access.remotes["1"].attached
    setup.access.end("1")
    found = list(setup.access.found_at)
    setup.tick(5)
    assert setup.access.found_at == found


def test_another_process_that_stands_for_a_namespace_has_it_attached_anew(setup: Setup) -> None:
    """What is open would otherwise be watched by the end of the wrong one. The samples go on."""
    setup.access.keep = True
    setup.access.add(1, 2)
    setup.tick(5)
    setup.access.refs[1] = NamespaceRef(1, b"", NamespaceTarget(pid=99))
    setup.attached()
    setup.scheduler.discovery_runner.schedule.run_now()
    setup.tick()
    assert setup.attached() == {"1": 1}
    assert setup.access.remotes["1"].target == NamespaceTarget(pid=99)
    setup.tick(40)
    assert setup.attached() == {}
    assert setup.asked() == {"1": 46, "2": 46}


def test_without_the_capabilities_none_can_end() -> None:
    setup = Setup()
    assert setup.scheduler.ended_descriptors() == (setup.access.ended_descriptor(),)
    assert Setup(may_enter=False).scheduler.ended_descriptors() == ()
    setup = Setup(may_enter=False)
    setup.scheduler.detach_ended(setup.clock.now)
    setup.tick()
    assert setup.names() == []


@pytest.mark.parametrize(("slowdown", "busy", "quiet"), [(2.0, 100, 50), (100.0, 40, 70)])
def test_no_figure_gets_too_old_where_busy_namespaces_take_all_the_time(
    slowdown: float, busy: int, quiet: int
) -> None:
    """As in a machine whose processor is taken away: a sample takes longer than its processor time."""
    access = FakeAccess()
    access.keep = True
    access.add(*range(1, busy + quiet + 1))
    for number in range(1, busy + quiet + 1):
        access.costs[str(number)] = 0.0003
    simulation = Simulation("sampling: {cpu_budget: 100%}" if slowdown < 10 else "{}", others=access)
    clock, oldest = simulation.clock, 0.0

    def run_for(seconds: float) -> None:
        nonlocal oldest
        until = clock.now + seconds
        while clock.now < until:
            spent = clock.spent
            due = simulation.sampler.sample()
            clock.now = max(due, clock.now + (clock.spent - spent) * slowdown)
            timelines = (each.table.accept_timelines for each in simulation.sampler.namespaces[1:])
            oldest = max(oldest, *(clock.now - each.newest for of in timelines for each in of.values()))

    run_for(5.0)
    for number in range(1, busy + 1):
        access.kernels[str(number)].tcp.change(1, length=3)
    run_for(10.0)
    oldest = 0.0
    run_for(20.0)
    assert oldest < STALE_SECONDS


def test_a_namespace_waits_for_a_source_a_twentieth_of_its_interval_at_most(setup: Setup) -> None:
    """To wake up costs as much as to sample it, but it may be the one whose queue is full for a moment."""
    setup.access.add(1)
    setup.tick()
    (slot,) = setup.scheduler.slots
    due = slot.schedule.due
    assert due is not None
    assert setup.scheduler.wake_at(due + 0.002) == due + 0.002
    assert setup.scheduler.wake_at(due + 0.04) == due
    assert setup.scheduler.wake_at(due - 0.04) == due - 0.04


def test_busy_namespaces_are_sampled_first(setup: Setup) -> None:
    """However long those have waited whose queues are empty."""
    busy = ("190", "191", "192")
    setup.access.add(*range(100, 100 + 3 * AT_ONCE))
    setup.tick(3)
    setup.fill(*busy)
    while len([slot for slot in setup.scheduler.slots if not slot.quiet]) < len(busy):
        setup.tick()
    setup.access.attached.clear()
    for _ in range(12):
        before = len(setup.access.attached)
        setup.tick()
        names = [name for _, name in setup.access.attached[before:]]
        assert tuple(sorted(names[:3])) == busy
        assert len(names) == AT_ONCE
    # The others take turns.
    counts = setup.attached()
    assert {counts.pop(name) for name in busy} == {12}
    assert len(counts) == 3 * AT_ONCE - 3
    assert max(counts.values()) - min(counts.values()) <= 1


def test_a_namespace_that_begins_to_fill_is_sampled_at_the_next_tick(setup: Setup) -> None:
    """Every four seconds before, and at the full rate from the sample on that saw it."""
    setup.access.add(*range(1, 9))
    setup.discover()
    setup.set_costs(*[0.1] * 8)
    setup.limit_to(0.001)
    assert setup.intervals() == [pytest.approx(4.0)] * 8
    setup.tick(2)
    setup.fill("3")
    while setup.scheduler.slots[2].quiet:
        setup.tick()
    before = setup.asked()
    setup.tick(3)
    assert {name for name, count in setup.asked().items() if count > before[name]} == {"3"}
    assert setup.asked()["3"] == before["3"] + 3


def test_busy_namespaces_keep_the_full_rate_and_the_quiet_ones_share_what_they_leave(setup: Setup) -> None:
    setup.access.add(*range(1, 9))
    setup.tick()
    setup.fill("1", "2")
    setup.tick()
    setup.set_costs(*[0.001] * 8)
    # Each requests a fiftieth of a core.
    setup.limit_to(0.1)
    busy, quiet = setup.intervals()[:2], setup.intervals()[2:]
    assert busy == [TICK_SECONDS] * 2
    assert quiet == [pytest.approx(2 * TICK_SECONDS)] * 6


def test_quiet_namespaces_keep_a_tenth_of_the_budget(setup: Setup) -> None:
    setup.access.add(*range(1, 9))
    setup.tick()
    setup.fill("1", "2", "3", "4")
    setup.tick()
    setup.set_costs(*[0.001] * 8)
    setup.limit_to(0.04)
    intervals = setup.intervals()
    # A share of 0.036 for four that request 0.08, and of 0.004 for four others.
    assert intervals[:4] == [pytest.approx(3 * TICK_SECONDS)] * 4
    assert intervals[4:] == [pytest.approx(20 * TICK_SECONDS)] * 4


def test_busy_namespaces_may_use_half_of_the_budget_however_little_is_left(setup: Setup) -> None:
    """Half of 2 % are 25 namespaces that request 0.0004 each; pages and waking up may use the rest."""
    setup.access.add(*range(1, 27))
    setup.tick(2)
    setup.fill(*map(str, range(1, 26)))
    setup.tick(2)
    setup.set_costs(*[0.00002] * 26)
    setup.limit_to(0.001)
    assert [slot.schedule.interval_in_force for slot in setup.scheduler.slots if not slot.quiet] == [
        TICK_SECONDS
    ] * 25


def test_busy_namespaces_have_the_whole_budget_where_none_is_quiet(setup: Setup) -> None:
    setup.access.add(1, 2)
    setup.tick()
    setup.fill("1", "2")
    setup.tick()
    setup.set_costs(0.001, 0.001)
    setup.limit_to(0.04)
    assert setup.intervals() == [TICK_SECONDS] * 2


def test_none_is_asked_for_a_share_where_there_is_no_namespace(setup: Setup) -> None:
    setup.limit_to(0.01)
    assert setup.scheduler.shares([]).requested_share() == 0.0
    assert setup.scheduler.cpu_seconds() == 0.0


def test_a_costly_busy_namespace_slows_itself_and_no_other_busy_one(setup: Setup) -> None:
    setup.access.add(1, 2, 3)
    setup.tick()
    setup.fill("1", "2")
    setup.tick()
    setup.set_costs(0.0005, 0.01, 0.0005)
    setup.limit_to(0.1)
    cheap, costly, quiet = setup.intervals()
    assert (cheap, quiet) == (TICK_SECONDS, TICK_SECONDS)
    assert costly == pytest.approx(3 * TICK_SECONDS)


def test_a_new_namespace_is_sampled_as_often_as_most_quiet_ones(setup: Setup) -> None:
    setup.access.add(1, 2, 3)
    setup.tick()
    setup.fill("1", "2")
    setup.tick()
    setup.set_costs(0.001, 0.001, 0.1)
    setup.limit_to(0.1)
    setup.access.add(4)
    setup.discover()
    intervals = setup.intervals()
    assert intervals[:2] == [TICK_SECONDS] * 2
    assert intervals[2] == intervals[3] > TICK_SECONDS


def test_processor_time_of_namespaces_that_are_gone_still_counts(setup: Setup) -> None:
    setup.access.keep = True
    setup.access.costs = {"1": 0.25, "2": 0.5}
    setup.access.broker_seconds = 0.125
    setup.access.add(1, 2)
    setup.tick(2)
    assert setup.scheduler.cpu_seconds() == pytest.approx(2 * 0.75 + 2 * 0.125)
    del setup.access.refs[1]
    setup.scheduler.discovery_runner.schedule.run_now()
    setup.tick()
    assert setup.names() == ["2"]
    assert setup.scheduler.cpu_seconds() == pytest.approx(2 * 0.75 + 2 * 0.125 + 0.5)
    assert setup.scheduler.past["inet"].cpu_seconds == pytest.approx(2 * 0.25)


def test_errors_of_a_namespace_are_reported_when_they_come_and_when_they_go(setup: Setup) -> None:
    setup.access.keep = True
    setup.access.add(1, 2)
    setup.tick(3)
    setup.access.kernels["1"].tcp.error = KernelError("no", "EIO")
    setup.tick(5)
    assert setup.reported == [setup.inet("1")]
    setup.access.kernels["1"].tcp.error = None
    setup.tick(5)
    assert setup.reported == [setup.inet("1")] * 2


def test_a_namespace_that_may_not_be_entered_is_reported_once_and_when_it_may(setup: Setup) -> None:
    setup.access.add(1)
    setup.access.errors["1"] = from_errno("cannot enter", 1)
    setup.tick(20)
    assert Counter(runner.name for runner in setup.reported) == dict.fromkeys(
        ("inet", "unix", "netstat", "syn_recv", "oldest_wait"), 1
    )
    setup.reported.clear()
    setup.access.errors.clear()
    setup.tick(61)
    assert Counter(runner.name for runner in setup.reported) == dict.fromkeys(
        ("inet", "unix", "netstat", "syn_recv", "oldest_wait"), 1
    )
