"""One namespace that is sampled in slots: what is asked in one, what that costs, and whether it is quiet."""

from __future__ import annotations

import threading
from itertools import pairwise
from typing import cast

import pytest

from exporter.broker.wire import NamespaceTarget
from exporter.config.model import Config
from exporter.kernel.errors import KernelError
from exporter.kernel.netns.remote import RemoteNamespace
from exporter.kernel.procfs.counters import COUNTER_FILES
from exporter.sampling.namespace_sampler import NamespaceSampler, SharedBySamplers
from exporter.sampling.namespace_slot import NamespaceSlot
from exporter.sampling.walk_limit import WalkLimit
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.fake_access import FakeRemote
from tests.sampling.fake_clock import FakeClock
from tests.sampling.fake_namespace import FakeNamespace
from tests.sampling.simulation import runner_of

INTERVAL = 0.05
ALL = ["inet", "unix", "netstat", "syn_recv", "oldest_wait"]
FAILED = KernelError("dump failed", "ENOBUFS")


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def kernel(clock: FakeClock) -> FakeNamespace:
    return FakeNamespace(clock.spend, "blue")


@pytest.fixture
def remote(kernel: FakeNamespace) -> FakeRemote:
    return FakeRemote("blue", kernel.namespace(), NamespaceTarget(pid=7))


@pytest.fixture
def new_slot(remote: FakeRemote, clock: FakeClock) -> NamespaceSlot:
    """A slot that follows its interval, as the scheduler sets it up."""
    shared = SharedBySamplers(threading.Lock(), clock.clock(), WalkLimit(Config()))
    sampler = NamespaceSampler(remote.namespace, Config(), shared)
    slot = NamespaceSlot(7, cast("RemoteNamespace", remote), sampler, INTERVAL, clock.clock())
    slot.set_min_interval(0.0, clock.now)
    return slot


@pytest.fixture
def slot(new_slot: NamespaceSlot) -> NamespaceSlot:
    """One whose sources are all asked from the first sample on."""
    new_slot.ask_all_at_once()
    return new_slot


def interval_of(slot: NamespaceSlot, source: str) -> float:
    return runner_of(slot.sampler.runners, source, "blue").schedule.interval_in_force


def sample_for(slot: NamespaceSlot, clock: FakeClock, seconds: float) -> None:
    """Sample at every due time for so long."""
    for _ in range(round(seconds / INTERVAL)):
        if slot.schedule.is_due(clock.now, 0.005):
            slot.sample(clock.now)
        clock.now += INTERVAL


def is_quiet(slot: NamespaceSlot) -> bool:
    """Whether its queues count as empty now."""
    return slot.quiet


def asked(kernel: FakeNamespace) -> dict[str, int]:
    """How often each source was asked."""
    requests = (kernel.tcp, kernel.unix, kernel.netstat, kernel.syn_recv_dump, kernel.oldest_wait)
    return {name: request.asked for name, request in zip(ALL, requests, strict=True)}


def test_the_first_slot_asks_everything(slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock) -> None:
    assert slot.schedule.is_due(clock.now)
    assert slot.sample(clock.now) == []
    # No connection waits, so there is nothing to ask about the oldest.
    assert asked(kernel) == {"inet": 1, "unix": 1, "netstat": 1, "syn_recv": 1, "oldest_wait": 0}
    assert {runner.healthy(clock.now) for runner in slot.sampler.runners} == {True}


def test_the_files_of_every_source_are_brought(slot: NamespaceSlot) -> None:
    """Once, since they stay open."""
    assert slot.file_names == {*COUNTER_FILES, "net/snmp", "net/tcp", "net/tcp6"}


def test_only_what_is_due_is_asked(slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock) -> None:
    kernel.tcp.open(tcp(1), length=1)
    times: dict[str, list[int]] = {name: [] for name in ALL}
    for at in range(21):
        before = asked(kernel)
        slot.sample(clock.now)
        for name, count in asked(kernel).items():
            times[name] += [at] * (count - before[name])
        clock.now += INTERVAL
    assert times == {
        "inet": list(range(21)),
        "unix": list(range(21)),
        "netstat": [0, 20],
        "syn_recv": [0, 5, 10, 15, 20],
        "oldest_wait": [0, 20],
    }


def test_in_a_quiet_namespace_some_sources_are_asked_more_seldom(
    slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock
) -> None:
    sample_for(slot, clock, 12.0)
    assert is_quiet(slot)
    assert asked(kernel) == {"inet": 240, "unix": 240, "netstat": 3, "syn_recv": 4, "oldest_wait": 0}
    assert {runner.stats.missed for runner in slot.sampler.runners} == {0}


def test_errors_that_come_change_and_go_are_returned(
    slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock
) -> None:
    def returned() -> list[str]:
        clock.now += INTERVAL
        return [runner.name for runner in slot.sample(clock.now)]

    assert returned() == []
    kernel.tcp.error = kernel.netstat.error = FAILED
    assert returned() == ["inet"], "counters are not due"
    assert returned() == []
    kernel.tcp.error = KernelError("dump failed", "EPERM")
    assert returned() == ["inet"]
    clock.now += 4.0
    kernel.tcp.error = None
    assert returned() == ["inet", "netstat"]
    assert returned() == []


def test_slots_that_passed_are_missed_by_the_sources_of_every_slot_alone(
    slot: NamespaceSlot, clock: FakeClock
) -> None:
    slot.sample(clock.now)
    slot.sample(clock.now + 10 * INTERVAL)
    missed = {runner.name: runner.stats.missed for runner in slot.sampler.runners}
    assert missed == {"inet": 9, "unix": 9, "netstat": 0, "syn_recv": 0, "oldest_wait": 0}


def test_the_cost_is_that_of_the_sample_with_what_the_broker_took(
    slot: NamespaceSlot, kernel: FakeNamespace, remote: FakeRemote, clock: FakeClock
) -> None:
    def sample(cost: float) -> None:
        kernel.tcp.cost = cost
        # What the broker took to open the namespace is known before the first source is asked.
        remote.broker_seconds += 0.001
        slot.sample(clock.now)
        clock.now += INTERVAL

    sample(0.002)
    assert slot.schedule.cost == 0, "the first sample is no measure"
    sample(0.002)
    assert slot.schedule.cost == pytest.approx(0.003)
    assert slot.schedule.requested_share() == slot.requested_share() == pytest.approx(0.06)
    assert slot.cpu_seconds == pytest.approx(0.006)
    # While it stays attached the broker has no part in it.
    slot.sample(clock.now)
    assert slot.cpu_seconds == pytest.approx(0.008)


def test_sources_follow_the_slot(slot: NamespaceSlot, clock: FakeClock) -> None:
    """In a quiet namespace some are asked every few seconds only."""
    for _ in range(2):
        slot.schedule.note_cost(0.05, clock.now)
    slot.limit_to(0.1, clock.now)
    assert slot.schedule.interval_in_force == pytest.approx(0.5)
    assert interval_of(slot, "inet") == pytest.approx(0.5)
    assert interval_of(slot, "syn_recv") == pytest.approx(3.0)
    assert interval_of(slot, "oldest_wait") == pytest.approx(4.0)
    assert interval_of(slot, "netstat") == pytest.approx(4.0)
    slot.limit_to(0.0125, clock.now)
    assert {interval_of(slot, name) for name in ALL} == {slot.schedule.interval_in_force}
    assert slot.schedule.interval_in_force == pytest.approx(4.0)
    slot.limit_to(1.0, clock.now)
    assert slot.schedule.interval_in_force == INTERVAL
    assert interval_of(slot, "inet") == INTERVAL
    slot.set_min_interval(0.4, clock.now)
    assert interval_of(slot, "inet") == pytest.approx(0.4)
    for slots, interval in ((1.75, 3.5), (2.0, 2.0), (2.1, 2.1)):
        slot.set_min_interval(slots, clock.now)
        assert interval_of(slot, "syn_recv") == pytest.approx(interval)


def test_a_namespace_that_was_not_entered_fails_in_every_source(
    slot: NamespaceSlot, clock: FakeClock
) -> None:
    slot.sample(clock.now)
    refused = KernelError("cannot enter", "EPERM")
    failed = slot.fail(refused)
    assert {runner.name for runner in failed} == set(ALL)
    assert {runner.healthy(clock.now) for runner in slot.sampler.runners} == {False}
    assert slot.fail(refused) == [], "it is told once"
    assert {runner.stats.errors["EPERM"] for runner in slot.sampler.runners} == {2}
    # Those that are asked again work again.
    clock.now += 4.0
    assert {runner.name for runner in slot.sample(clock.now)} == set(ALL)
    assert {runner.healthy(clock.now) for runner in slot.sampler.runners} == {True}


def test_another_interval_makes_it_due(slot: NamespaceSlot, clock: FakeClock) -> None:
    slot.sample(clock.now)
    slot.set_interval(INTERVAL, clock.now)
    assert not slot.schedule.is_due(clock.now)
    slot.set_interval(0.2, clock.now)
    assert slot.schedule.is_due(clock.now)


@pytest.mark.parametrize("queue", ["tcp", "unix", "syn_recv"])
def test_it_is_busy_from_the_sample_that_sees_a_connection_until_a_minute_after_the_last(
    slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock, queue: str
) -> None:
    kernel.tcp.open(tcp(1))
    kernel.unix.open(unix(2))

    def fill(length: int) -> None:
        if queue == "syn_recv":
            kernel.syn_recv_dump.counts = {endpoint("10.0.0.1"): length} if length else {}
        else:
            {"tcp": kernel.tcp, "unix": kernel.unix}[queue].change(1 if queue == "tcp" else 2, length=length)

    sample_for(slot, clock, 4.0)
    assert is_quiet(slot)
    fill(1)
    # Half-open connections are looked for every three seconds only as long as it is quiet.
    sample_for(slot, clock, 3.0)
    assert not is_quiet(slot)
    assert (interval_of(slot, "netstat"), interval_of(slot, "syn_recv")) == (1.0, 0.25)
    sample_for(slot, clock, 100.0)
    assert not is_quiet(slot), "for as long as it waits"
    fill(0)
    sample_for(slot, clock, 59.9)
    assert not is_quiet(slot)
    sample_for(slot, clock, 0.5)
    assert is_quiet(slot)
    assert (interval_of(slot, "netstat"), interval_of(slot, "syn_recv")) == (4.0, 3.0)


def test_a_connection_that_waits_in_between_starts_the_minute_anew(
    slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock
) -> None:
    kernel.tcp.open(tcp(1))
    for _ in range(3):
        kernel.tcp.change(1, length=1)
        sample_for(slot, clock, INTERVAL)
        kernel.tcp.change(1, length=0)
        sample_for(slot, clock, 50.0)
        assert not is_quiet(slot)
    sample_for(slot, clock, 10.0 + 2 * INTERVAL)
    assert is_quiet(slot)


def slow_slot(slot: NamespaceSlot, clock: FakeClock) -> None:
    """Let it cost so much that it is sampled every four seconds, and sample it once like that."""
    for _ in range(2):
        slot.schedule.note_cost(1.0, clock.now)
    slot.limit_to(0.0, clock.now)
    slot.sample(clock.now)
    assert slot.schedule.due == clock.now + 4.0


def test_a_queue_that_begins_to_fill_has_it_sampled_at_the_full_rate_at_once(
    slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock
) -> None:
    """And counters with it, which a slow slot had kept waiting."""
    kernel.tcp.open(tcp(1))
    slow_slot(slot, clock)
    clock.now += 4.0
    kernel.tcp.change(1, length=1)
    slot.sample(clock.now)
    assert not is_quiet(slot)
    assert slot.schedule.interval_in_force == INTERVAL
    assert slot.schedule.due == pytest.approx(clock.now + INTERVAL)
    assert interval_of(slot, "inet") == INTERVAL
    assert (interval_of(slot, "netstat"), interval_of(slot, "syn_recv")) == (1.0, 0.25)
    due = runner_of(slot.sampler.runners, "syn_recv", "blue").schedule.due
    assert due == pytest.approx(clock.now + 0.25)


def test_a_busy_slot_that_the_budget_slowed_is_not_promoted_anew(
    slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock
) -> None:
    """Otherwise it would take more than its part of the budget with every sample."""
    kernel.tcp.open(tcp(1), length=1)
    slot.sample(clock.now)
    assert not is_quiet(slot)
    for _ in range(2):
        slot.schedule.note_cost(1.0, clock.now)
    slot.limit_to(10.0, clock.now)
    for _ in range(5):
        clock.now += 2 * INTERVAL
        slot.sample(clock.now)
    assert slot.schedule.interval_in_force == pytest.approx(2 * INTERVAL)


def test_that_it_becomes_quiet_makes_nothing_due(
    slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock
) -> None:
    kernel.tcp.open(tcp(1), length=1)
    slot.sample(clock.now)
    kernel.tcp.change(1, length=0)
    sample_for(slot, clock, 70.0)
    assert is_quiet(slot)
    assert slot.schedule.interval_in_force == INTERVAL
    assert {runner.stats.missed for runner in slot.sampler.runners} == {0}


@pytest.mark.parametrize("slots", [1, 3, 20, 32, 33, 40, 47, 49, 50, 51, 52, 55, 58, 59, 60, 79, 80])
@pytest.mark.parametrize("quiet", [True, False])
def test_however_far_apart_the_slots_are_no_source_becomes_stale(
    slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock, slots: int, *, quiet: bool
) -> None:
    """Each is asked in the slot that is nearest to its due time."""
    kernel.tcp.open(tcp(1), length=0 if quiet else 1)
    slot.sample(clock.now)
    assert is_quiet(slot) is quiet
    slot.set_min_interval(slots * INTERVAL, clock.now)
    times: dict[str, list[float]] = {name: [clock.now] for name in ALL}
    for _ in range(200):
        clock.now += slots * INTERVAL
        before = asked(kernel)
        slot.sample(clock.now)
        for name, count in asked(kernel).items():
            times[name] += [clock.now] * (count - before[name])
    longest = {
        name: max(later - earlier for earlier, later in pairwise(each))
        for name, each in times.items()
        if name != "oldest_wait" or not quiet
    }
    assert max(longest.values()) < 5.0, longest


def test_what_is_asked_seldom_has_a_share_of_its_own(
    slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock
) -> None:
    """Otherwise a namespace would cost the more the longer it waits, and wait the longer for it."""
    kernel.tcp.cost, kernel.netstat.cost, kernel.syn_recv_dump.cost = 0.0001, 0.0008, 0.0003
    sample_for(slot, clock, 20.0)
    assert slot.schedule.cost == pytest.approx(0.0001)
    shares = {runner.name: runner.share_in_force() for runner in slot.others}
    assert shares == {
        "netstat": pytest.approx(0.0008 / 4.0),
        "syn_recv": pytest.approx(0.0003 / 3.0),
        "oldest_wait": 0.0,
    }


def test_the_first_sample_is_of_the_listeners_and_the_other_sources_follow(
    new_slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock
) -> None:
    sample_for(new_slot, clock, 1.0)
    assert new_slot.others_wait
    assert asked(kernel) == {"inet": 20, "unix": 20, "netstat": 0, "syn_recv": 0, "oldest_wait": 0}
    kernel.netstat.error = FAILED
    assert [runner.name for runner in new_slot.sample_others(clock.now)] == ["netstat"]
    assert asked(kernel) == {"inet": 20, "unix": 20, "netstat": 1, "syn_recv": 1, "oldest_wait": 0}
    sample_for(new_slot, clock, 4.0)
    assert asked(kernel) == {"inet": 100, "unix": 100, "netstat": 1, "syn_recv": 2, "oldest_wait": 0}


def test_half_open_connections_found_by_the_first_samples_make_it_busy(
    new_slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock
) -> None:
    kernel.tcp.open(tcp(1))
    kernel.syn_recv_dump.counts = {endpoint("10.0.0.1"): 1}
    new_slot.sample(clock.now)
    assert is_quiet(new_slot)
    new_slot.sample_others(clock.now)
    assert not is_quiet(new_slot)


def test_what_is_asked_seldom_is_slowed_down_in_whole_slots_until_it_fits(
    slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock
) -> None:
    """As near to that as slots come, and not so late that figures get too old."""
    kernel.tcp.open(tcp(1), length=1)
    kernel.netstat.cost = kernel.syn_recv_dump.cost = 0.001
    sample_for(slot, clock, 5.0)
    slot.set_min_interval(0.3, clock.now)
    for runner in slot.others:
        runner.limit_to(0.0005, clock.now)
    limited = [interval_of(slot, name) for name in ("netstat", "syn_recv")]
    assert limited == [pytest.approx(2.1), pytest.approx(2.1)]
    for runner in slot.others:
        runner.limit_to(0.0, clock.now)
    # The interval of the slots changes, and that of the sources with it.
    for slots, interval in ((0.3, 3.9), (1.4, 4.2), (1.5, 3.0), (2.3, 2.3)):
        slot.set_min_interval(slots, clock.now)
        assert interval_of(slot, "netstat") == pytest.approx(interval)


def test_a_namespace_that_becomes_busy_is_slowed_down_no_longer(
    slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock
) -> None:
    kernel.tcp.open(tcp(1))
    sample_for(slot, clock, 5.0)
    for runner in slot.others:
        runner.schedule.note_cost(1.0, clock.now)
        runner.schedule.note_cost(1.0, clock.now)
        runner.limit_to(0.0, clock.now)
    assert interval_of(slot, "syn_recv") == pytest.approx(4.0)
    kernel.tcp.change(1, length=1)
    slot.sample(clock.now)
    assert [interval_of(slot, name) for name in ("netstat", "syn_recv")] == [1.0, 0.25]
