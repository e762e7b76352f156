"""What is asked beside the listeners when namespaces are sampled for the first time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import cast

import pytest

from exporter.sampling.first_samples import FirstSamples
from exporter.sampling.namespace_slot import NamespaceSlot
from exporter.sampling.schedule import Schedule
from exporter.sampling.source_runner import SourceRunner
from tests.sampling.fake_clock import FakeClock

NOW = 1000.0


@dataclass
class Remote:
    """Whether a namespace is open."""

    attached: bool = True


@dataclass(eq=False)
class Slot:
    """Stands in for a slot; each takes 4 ms."""

    clock: FakeClock
    schedule: Schedule = field(default_factory=lambda: Schedule(0.05))
    remote: Remote = field(default_factory=Remote)
    others_wait: bool = True

    def sample(self, now: float) -> list[SourceRunner]:
        """Return none that is to be reported."""
        assert now == NOW
        return []

    def ask_all_at_once(self) -> None:
        """Have them wait no longer."""
        self.others_wait = False

    def sample_others(self, now: float) -> list[SourceRunner]:
        """Return one that is to be reported."""
        assert now == NOW
        self.others_wait = False
        self.clock.spend(0.004)
        return [cast("SourceRunner", self)]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def slots(clock: FakeClock) -> list[Slot]:
    return [Slot(clock) for _ in range(7)]


@pytest.fixture
def first(clock: FakeClock, slots: list[Slot]) -> FirstSamples:
    first = FirstSamples(clock.clock())
    for slot in (*slots, *slots):
        first.sample(cast("NamespaceSlot", slot), NOW, lambda _runner: None)
    return first


def sampled(slots: list[Slot]) -> int:
    """How many were sampled; those that came first are."""
    waiting = [slot.others_wait for slot in slots]
    assert waiting == sorted(waiting)
    return waiting.count(False)


def test_each_is_sampled_once_in_order_and_ten_milliseconds_in_a_tick(
    first: FirstSamples, slots: list[Slot]
) -> None:
    reported: list[SourceRunner] = []
    counts = []
    while first:
        first.complete(NOW, reported.append)
        counts.append(sampled(slots))
    assert counts == [3, 6, 7]
    assert reported == [cast("SourceRunner", slot) for slot in slots]


def test_one_that_is_not_open_is_asked_in_full_at_once(first: FirstSamples, slots: list[Slot]) -> None:
    reported: list[SourceRunner] = []
    for slot in slots:
        slot.remote.attached = False
        slot.schedule.advance(NOW)
    first.complete(NOW, reported.append)
    assert ({slot.others_wait for slot in slots}, bool(first), reported) == ({False}, False, [])
    assert {slot.schedule.due for slot in slots} == {None}
    first.sample(cast("NamespaceSlot", slots[0]), NOW, reported.append)
    assert not first, "all of its sources are asked from then on"
