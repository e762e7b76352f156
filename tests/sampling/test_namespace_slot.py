"""One namespace that waits for its turn: when it comes, what is asked then, and what that costs."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.model import Config
from exporter.kernel.netns.remote import RemoteNamespace
from exporter.kernel.procfs.counters import COUNTER_FILES
from exporter.sampling.namespace import NamespaceSampler
from exporter.sampling.namespace_slot import NamespaceSlot
from tests.sampling.fake_clock import Clockwork
from tests.sampling.fake_namespace import Kernel

INTERVAL = 0.05


def slot_of(kernel: Kernel, interval: float = INTERVAL) -> NamespaceSlot:
    remote = cast("RemoteNamespace", SimpleNamespace(namespace=kernel.namespace(), broker_seconds=0.0))
    sampler = NamespaceSampler(kernel.namespace(), Config(), threading.Lock())
    return NamespaceSlot(7, remote, sampler, interval)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clockwork:
    clock = Clockwork()
    clock.install(monkeypatch, "exporter.sampling.namespace_slot", "exporter.sampling.source")
    return clock


def test_the_first_visit_asks_everything_and_brings_every_file(clock: Clockwork) -> None:
    kernel = Kernel(clock.spend)
    slot = slot_of(kernel)
    assert slot.due < 0
    assert slot.files(clock.now) == {*COUNTER_FILES, "net/snmp"}
    names = [source.name for source in slot.sample(clock.now)]
    assert names == ["inet", "unix", "netstat", "syn_recv", "oldest_wait"]


def test_only_what_is_due_is_asked_and_only_its_files_are_brought(clock: Clockwork) -> None:
    kernel = Kernel(clock.spend)
    slot = slot_of(kernel)
    brought = []
    for _ in range(21):
        files = slot.files(clock.now)
        slot.sample(clock.now)
        slot.next(clock.now)
        brought.append(files)
        clock.now += INTERVAL
    assert [at for at, files in enumerate(brought) if "net/netstat" in files] == [0, 20]
    assert [at for at, files in enumerate(brought) if "net/snmp" in files] == [0, 5, 10, 15, 20]
    assert kernel.tcp.asked == kernel.unix.asked == 21
    assert kernel.netstat.asked == 2


def test_visits_keep_their_beat_and_one_that_is_late_is_not_caught_up(clock: Clockwork) -> None:
    slot = slot_of(Kernel(clock.spend))
    slot.next(100.0)
    assert slot.due == pytest.approx(100.025)
    slot.next(100.03)
    assert slot.due == pytest.approx(100.075)
    slot.next(200.0)
    assert slot.due == pytest.approx(200.025)


def test_the_cost_is_that_of_the_visit_with_what_the_broker_took(clock: Clockwork) -> None:
    kernel = Kernel(clock.spend)
    kernel.tcp.cost = 0.002
    slot = slot_of(kernel)
    slot.files(clock.now)
    # What the broker took to open it is known before the first question.
    kernel.tcp.on_answer = lambda: setattr(slot.remote, "broker_seconds", slot.remote.broker_seconds + 0.001)
    slot.sample(clock.now)
    # The first visit pays for what later ones have ready.
    assert slot.cost == 0
    clock.now += INTERVAL
    slot.files(clock.now)
    slot.sample(clock.now)
    assert slot.cost == pytest.approx(0.003)
    assert slot.requested_share() == pytest.approx(0.06)
    kernel.tcp.cost = 0.012
    clock.now += INTERVAL
    slot.files(clock.now)
    slot.sample(clock.now)
    # One more visit moves it by a fifth, and counts for four usual ones at most.
    assert slot.cost == pytest.approx(0.003 + 0.2 * 0.009)


@given(st.floats(1e-6, 1.0), st.floats(1e-4, 1.0), st.sampled_from([0.01, 0.05, 1.0]))
def test_it_is_slowed_by_whole_beats_until_it_fits_and_no_more(
    cost: float, share: float, interval: float
) -> None:
    slot = slot_of(Kernel(lambda _: None), interval)
    slot.cost = cost
    slot.limit_to(share)
    beats = slot.interval_in_force / interval
    assert beats == pytest.approx(round(beats))
    assert cost / slot.interval_in_force <= share * (1 + 1e-6)
    if beats > 1:
        assert cost / (interval * (round(beats) - 1)) > share * (1 - 1e-6)
    inet, netstat = slot.sampler.inet, slot.sampler.netstat
    assert inet.interval_in_force == max(inet.interval, slot.interval_in_force)
    assert netstat.interval_in_force == max(netstat.interval, 4 * slot.interval_in_force)


def test_one_that_costs_less_again_gets_its_own_beat_back(clock: Clockwork) -> None:
    slot = slot_of(Kernel(clock.spend))
    slot.cost = 0.05
    slot.limit_to(0.1)
    assert slot.interval_in_force == pytest.approx(0.5)
    slot.cost = 0.001
    slot.limit_to(0.1)
    assert slot.interval_in_force == INTERVAL
    assert slot.sampler.inet.interval_in_force == INTERVAL
