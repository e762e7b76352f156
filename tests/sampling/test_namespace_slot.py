"""One namespace that waits for its turn: when it comes, what is asked then, and what that costs."""

from __future__ import annotations

import threading
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config.model import Config
from exporter.kernel.netns.remote import Guest
from exporter.kernel.procfs.counters import COUNTER_FILES
from exporter.sampling.namespace import NamespaceSampler
from exporter.sampling.namespace_slot import Turn
from tests.sampling.fake_clock import Clockwork
from tests.sampling.fake_namespace import Kernel

INTERVAL = 0.05


def turn_of(kernel: Kernel, interval: float = INTERVAL) -> Turn:
    guest = cast("Guest", SimpleNamespace(namespace=kernel.namespace(), broker_seconds=0.0))
    sampler = NamespaceSampler(kernel.namespace(), Config(), threading.Lock())
    return Turn(7, guest, sampler, interval)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clockwork:
    clock = Clockwork()
    clock.install(monkeypatch, "exporter.sampling.namespace_slot", "exporter.sampling.source")
    return clock


def test_the_first_visit_asks_everything_and_brings_every_file(clock: Clockwork) -> None:
    kernel = Kernel(clock.spend)
    turn = turn_of(kernel)
    assert turn.due < 0
    assert turn.files(clock.now) == {*COUNTER_FILES, "net/snmp"}
    names = [source.name for source in turn.sample(clock.now)]
    assert names == ["inet", "unix", "netstat", "syn_recv", "oldest_wait"]


def test_only_what_is_due_is_asked_and_only_its_files_are_brought(clock: Clockwork) -> None:
    kernel = Kernel(clock.spend)
    turn = turn_of(kernel)
    brought = []
    for _ in range(21):
        files = turn.files(clock.now)
        turn.sample(clock.now)
        turn.next(clock.now)
        brought.append(files)
        clock.now += INTERVAL
    assert [at for at, files in enumerate(brought) if "net/netstat" in files] == [0, 20]
    assert [at for at, files in enumerate(brought) if "net/snmp" in files] == [0, 5, 10, 15, 20]
    assert kernel.tcp.asked == kernel.unix.asked == 21
    assert kernel.netstat.asked == 2


def test_visits_keep_their_beat_and_one_that_is_late_is_not_caught_up(clock: Clockwork) -> None:
    turn = turn_of(Kernel(clock.spend))
    turn.next(100.0)
    assert turn.due == pytest.approx(100.025)
    turn.next(100.03)
    assert turn.due == pytest.approx(100.075)
    turn.next(200.0)
    assert turn.due == pytest.approx(200.025)


def test_the_cost_is_that_of_the_visit_with_what_the_broker_took(clock: Clockwork) -> None:
    kernel = Kernel(clock.spend)
    kernel.tcp.cost = 0.002
    turn = turn_of(kernel)
    turn.files(clock.now)
    # What the broker took to open it is known before the first question.
    kernel.tcp.on_answer = lambda: setattr(turn.guest, "broker_seconds", turn.guest.broker_seconds + 0.001)
    turn.sample(clock.now)
    # The first visit pays for what later ones have ready.
    assert turn.cost == 0
    clock.now += INTERVAL
    turn.files(clock.now)
    turn.sample(clock.now)
    assert turn.cost == pytest.approx(0.003)
    assert turn.wants() == pytest.approx(0.06)
    kernel.tcp.cost = 0.012
    clock.now += INTERVAL
    turn.files(clock.now)
    turn.sample(clock.now)
    # One more visit moves it by a fifth, and counts for four usual ones at most.
    assert turn.cost == pytest.approx(0.003 + 0.2 * 0.009)


@given(st.floats(1e-6, 1.0), st.floats(1e-4, 1.0), st.sampled_from([0.01, 0.05, 1.0]))
def test_it_is_slowed_by_whole_beats_until_it_fits_and_no_more(
    cost: float, share: float, interval: float
) -> None:
    turn = turn_of(Kernel(lambda _: None), interval)
    turn.cost = cost
    turn.slow_to(share)
    beats = turn.interval_in_force / interval
    assert beats == pytest.approx(round(beats))
    assert cost / turn.interval_in_force <= share * (1 + 1e-6)
    if beats > 1:
        assert cost / (interval * (round(beats) - 1)) > share * (1 - 1e-6)
    inet, netstat = turn.sampler.inet, turn.sampler.netstat
    assert inet.interval_in_force == max(inet.interval, turn.interval_in_force)
    assert netstat.interval_in_force == max(netstat.interval, 4 * turn.interval_in_force)


def test_one_that_costs_less_again_gets_its_own_beat_back(clock: Clockwork) -> None:
    turn = turn_of(Kernel(clock.spend))
    turn.cost = 0.05
    turn.slow_to(0.1)
    assert turn.interval_in_force == pytest.approx(0.5)
    turn.cost = 0.001
    turn.slow_to(0.1)
    assert turn.interval_in_force == INTERVAL
    assert turn.sampler.inet.interval_in_force == INTERVAL
