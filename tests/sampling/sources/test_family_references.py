"""The references of one address family: what it costs to read them, and when they are counted."""

from __future__ import annotations

import socket

import pytest

from exporter.kernel.procfs.refcount import RefCount
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.sampling.mptcp_sockets import MptcpSockets
from exporter.sampling.sources.family_references import FamilyReferences
from exporter.sampling.sources.listener_references import ListenerReferences
from tests.listeners.sockets import reading, tcp
from tests.sampling.fake_clock import FakeClock

NOW = 1000.0


class Reader:
    """Returns the same mapping as long as a test changes nothing."""

    def __init__(self, clock: FakeClock) -> None:
        self.cost = 0.25
        self.held = {100: RefCount(1, 0)}
        self.asked: list[tuple[int, int]] = []
        self._clock = clock

    def read(self, family: int, count: int) -> dict[int, RefCount]:
        """Return it."""
        self.asked.append((family, count))
        self._clock.spend(self.cost)
        return self.held


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def reader(clock: FakeClock) -> Reader:
    return Reader(clock)


@pytest.fixture
def family(reader: Reader, clock: FakeClock) -> FamilyReferences:
    family = FamilyReferences(socket.AF_INET6, reader, clock.clock())
    family.take({group()}, 3)
    return family


@pytest.fixture
def references() -> ListenerReferences:
    return ListenerReferences(MptcpSockets())


def group() -> ListenerGroup:
    made = ListenerGroup(key_of(tcp(1), "host", "tcp"))
    made.open(tcp(1), reading(1))
    return made


def test_it_is_known_what_a_read_costs(
    family: FamilyReferences, reader: Reader, references: ListenerReferences
) -> None:
    costs = [family.cost.latest]
    assert family.read(NOW, references) == 0.25
    costs.append(family.cost.latest)
    assert (costs, family.held, reader.asked) == ([None, 0.25], reader.held, [(socket.AF_INET6, 3)])


def test_what_has_not_changed_is_not_counted_again(
    family: FamilyReferences, reader: Reader, references: ListenerReferences
) -> None:
    family.read(NOW, references)
    before = family.counts
    family.read(NOW, references)
    assert family.counts is before
    reader.held = {100: RefCount(4, 0)}
    family.read(NOW, references)
    assert list(family.counts.by_group.values()) == [3]


def test_the_same_is_counted_again_for_other_listeners_and_after_a_dump(
    family: FamilyReferences, references: ListenerReferences
) -> None:
    family.read(NOW, references)
    counted = [family.counts]
    family.take({group()}, 3)
    family.read(NOW, references)
    counted.append(family.counts)
    references.compare([], {}, {}, {}, NOW)
    family.read(NOW, references)
    counted.append(family.counts)
    assert len({id(each) for each in counted}) == len(counted)
