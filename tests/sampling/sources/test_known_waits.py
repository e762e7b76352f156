"""What is known of connections that wait, from a walk and from looking them up."""

from __future__ import annotations

from collections.abc import Collection, Iterable

import pytest

from exporter.config.model import Config
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.sampling.followed_limit import FollowedLimit
from exporter.sampling.listener_table import ListenerTable
from exporter.sampling.sources.followed_waits import FollowedWaits
from exporter.sampling.sources.known_waits import KnownWaits
from tests.listeners.sockets import endpoint, reading, tcp, waiting
from tests.sampling.fake_clock import FakeClock
from tests.sampling.fake_namespace import FakeNamespace

NOW = 1000.0
HERE = endpoint("10.0.0.1")
GROUP, OTHER = (ListenerGroup(key_of(tcp(port, port=port), "host", "tcp")) for port in (80, 81))


@pytest.fixture
def kernel() -> FakeNamespace:
    return FakeNamespace(FakeClock().spend)


@pytest.fixture
def known(kernel: FakeNamespace) -> KnownWaits:
    table = ListenerTable("host", Config())
    known = KnownWaits(kernel.namespace(), FollowedWaits(table, Config(), FollowedLimit()))
    known.keep([GROUP, OTHER], NOW)
    return known


def test_none_is_known_before_a_walk(known: KnownWaits) -> None:
    assert (known.oldest([GROUP], NOW), known.count(GROUP), bool(known)) == ({}, 0, False)


def test_the_oldest_that_still_waits_is_looked_up(known: KnownWaits, kernel: FakeNamespace) -> None:
    found = [waiting(cookie, HERE, seconds) for cookie, seconds in ((1, 1.0), (2, 4.0), (3, 2.0))]
    known.set(GROUP, found, NOW, {})
    kernel.connections = [waiting(3, HERE, 7.0), waiting(1, HERE, 6.0)]
    assert known.oldest([GROUP, OTHER], NOW) == {GROUP: 7.0}
    assert known.count(GROUP) == 2
    asked = kernel.lookups.asked
    known.oldest([GROUP], NOW)
    assert kernel.lookups.asked == asked + 1, "one that was accepted is not looked up again"


def test_those_that_came_first_are_told_together(known: KnownWaits, kernel: FakeNamespace) -> None:
    """In which order they came is not known where nearly the same time is told of both."""
    assert known.first(GROUP) is None
    known.set(GROUP, [waiting(cookie, HERE, age) for cookie, age in ((1, 4.0), (2, 4.04), (3, 3.9))], NOW, {})
    assert known.first(GROUP) == ({1, 2}, NOW)
    kernel.connections = [waiting(1, HERE, 5.0), waiting(3, HERE, 4.9)]
    known.oldest([GROUP], NOW + 1.0)
    assert known.first(GROUP) == ({1}, NOW + 1.0)


def test_of_many_that_one_socket_accepted_few_are_looked_up(known: KnownWaits, kernel: FakeNamespace) -> None:
    """They are accepted in their order, so that half of the others need not be looked up each time."""
    known.set(GROUP, [waiting(cookie, HERE, 1000.0 - cookie) for cookie in range(1, 500)], NOW, {})
    kernel.connections = [waiting(cookie, HERE, 1100.0 - cookie) for cookie in range(321, 500)]
    assert (known.oldest([GROUP], NOW), known.count(GROUP)) == ({GROUP: 779.0}, 179)
    assert kernel.lookups.asked <= 12
    kernel.connections = []
    assert (known.oldest([GROUP], NOW), known.count(GROUP)) == ({}, 0)


def test_of_several_sockets_no_more_than_twenty_are_looked_up(kernel: FakeNamespace) -> None:
    """Each has its own queue, so that the oldest may wait while a younger one is gone."""
    group = ListenerGroup(GROUP.key)
    for cookie in (1, 2):
        group.open(tcp(cookie), reading(cookie))
    table = ListenerTable("host", Config())
    known = KnownWaits(kernel.namespace(), FollowedWaits(table, Config(), FollowedLimit()))
    known.keep([group], NOW)
    known.set(group, [waiting(cookie, HERE, 1000.0 - cookie) for cookie in range(1, 500)], NOW, {})
    kernel.connections = [waiting(2, HERE, 998.0), waiting(20, HERE, 980.0), waiting(21, HERE, 979.0)]
    assert known.oldest([group], NOW) == {group: 998.0}
    assert kernel.lookups.asked == 20
    kernel.connections = kernel.connections[-2:]
    assert known.oldest([group], NOW) == {group: 980.0}
    kernel.connections = kernel.connections[-1:]
    assert (known.oldest([group], NOW), known.count(group)) == ({}, 0)


class Recorded(FollowedWaits):
    """Notes each wait that has ended."""

    def __init__(self) -> None:
        super().__init__(ListenerTable("host", Config()), Config(), FollowedLimit())
        self.waits: list[float] = []

    def add(self, _group: ListenerGroup, _sockets: Collection[int], waits: Iterable[float]) -> None:
        self.waits += waits


def test_one_that_waits_perhaps_at_another_listener_has_not_left(kernel: FakeNamespace) -> None:
    """As where several transparent listeners may have it."""
    followed = Recorded()
    known = KnownWaits(kernel.namespace(), followed)
    known.keep([GROUP], NOW)
    known.set(GROUP, [waiting(1, HERE, 1.0), waiting(2, HERE, 2.0)], NOW, {})
    assert known.set(GROUP, [], NOW + 1.0, {}, {1}) is None
    assert followed.waits == [2.5]


def test_what_waited_elsewhere_is_forgotten(known: KnownWaits, kernel: FakeNamespace) -> None:
    kernel.connections = [waiting(1, HERE, 1.0)]
    for group in (GROUP, OTHER):
        known.set(group, kernel.connections, NOW, {})
    known.keep([OTHER], NOW)
    assert (known.count(GROUP), known.oldest([OTHER], NOW)) == (0, {OTHER: 1.0})
    known.forget()
    assert not known
