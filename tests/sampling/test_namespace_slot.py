"""One namespace that is sampled in slots: what is asked in one, and what that costs."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from exporter.broker.wire import NamespaceTarget
from exporter.config.model import Config
from exporter.kernel.errors import KernelError
from exporter.kernel.netns.remote import RemoteNamespace
from exporter.kernel.procfs.counters import COUNTER_FILES
from exporter.sampling.namespace_sampler import NamespaceSampler
from exporter.sampling.namespace_slot import NamespaceSlot
from tests.sampling.fake_access import FakeRemote
from tests.sampling.fake_clock import FakeClock
from tests.sampling.fake_namespace import FakeNamespace
from tests.sampling.simulation import runner_of

INTERVAL = 0.05


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
def slot(remote: FakeRemote, clock: FakeClock) -> NamespaceSlot:
    sampler = NamespaceSampler(remote.namespace, Config(), threading.Lock(), clock.clock())
    return NamespaceSlot(7, cast("RemoteNamespace", remote), sampler, INTERVAL, clock.clock())


def interval_of(slot: NamespaceSlot, source: str) -> float:
    return runner_of(slot.sampler.runners, source, "blue").schedule.interval_in_force


def test_the_first_slot_asks_everything_and_brings_every_file(slot: NamespaceSlot, clock: FakeClock) -> None:
    assert slot.schedule.is_due(clock.now)
    assert slot.choose_due(clock.now) == {*COUNTER_FILES, "net/snmp"}
    names = [runner.name for runner in slot.sample(clock.now)]
    assert names == ["inet", "unix", "netstat", "syn_recv", "oldest_wait"]


def test_only_what_is_due_is_asked_and_only_its_files_are_brought(
    slot: NamespaceSlot, kernel: FakeNamespace, clock: FakeClock
) -> None:
    brought = []
    for _ in range(21):
        brought.append(slot.choose_due(clock.now))
        slot.sample(clock.now)
        clock.now += INTERVAL
    assert [at for at, files in enumerate(brought) if "net/netstat" in files] == [0, 20]
    assert [at for at, files in enumerate(brought) if "net/snmp" in files] == [0, 5, 10, 15, 20]
    assert kernel.tcp.asked == kernel.unix.asked == 21
    assert kernel.netstat.asked == 2


def test_the_cost_is_that_of_the_sample_with_what_the_broker_took(
    slot: NamespaceSlot, kernel: FakeNamespace, remote: FakeRemote, clock: FakeClock
) -> None:
    def sample(cost: float) -> None:
        kernel.tcp.cost = cost
        slot.choose_due(clock.now)
        # What the broker took to open the namespace is known before the first source is asked.
        remote.broker_seconds += 0.001
        slot.sample(clock.now)
        clock.now += INTERVAL

    sample(0.002)
    assert slot.schedule.cost == 0, "the first sample is no measure"
    sample(0.002)
    assert slot.schedule.cost == pytest.approx(0.003)
    assert slot.schedule.requested_share() == pytest.approx(0.06)


def test_sources_follow_the_slot(slot: NamespaceSlot) -> None:
    """Counters are read in every fourth slot only: nothing of them is lost between two samples."""
    for _ in range(2):
        slot.schedule.note_cost(0.05)
    slot.limit_to(0.1)
    assert slot.schedule.interval_in_force == pytest.approx(0.5)
    assert interval_of(slot, "inet") == pytest.approx(0.5)
    assert interval_of(slot, "oldest_wait") == pytest.approx(1.0)
    assert interval_of(slot, "netstat") == pytest.approx(2.0)
    slot.limit_to(1.0)
    assert slot.schedule.interval_in_force == INTERVAL
    assert interval_of(slot, "inet") == INTERVAL
    slot.set_min_interval(0.4)
    assert interval_of(slot, "inet") == pytest.approx(0.4)


def test_a_namespace_that_was_not_entered_fails_in_every_source_that_was_due(
    slot: NamespaceSlot, clock: FakeClock
) -> None:
    slot.choose_due(clock.now)
    failed = slot.fail(KernelError("cannot enter", "EPERM"))
    assert {runner.name for runner in failed} == {"inet", "unix", "netstat", "syn_recv", "oldest_wait"}
    assert {runner.healthy(clock.now) for runner in failed} == {False}


def test_another_interval_makes_it_due(slot: NamespaceSlot, clock: FakeClock) -> None:
    slot.choose_due(clock.now)
    slot.sample(clock.now)
    slot.set_interval(INTERVAL)
    assert not slot.schedule.is_due(clock.now)
    slot.set_interval(0.2)
    assert slot.schedule.is_due(clock.now)
