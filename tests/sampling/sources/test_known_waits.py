"""What is known of connections that wait, from a walk and from looking them up."""

from __future__ import annotations

import pytest

from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.sampling.sources.known_waits import KnownWaits
from tests.listeners.sockets import endpoint, tcp, waiting
from tests.sampling.fake_clock import FakeClock
from tests.sampling.fake_namespace import FakeNamespace

HERE = endpoint("10.0.0.1")
GROUP, OTHER = (ListenerGroup(key_of(tcp(port, port=port), "host", "tcp")) for port in (80, 81))


@pytest.fixture
def kernel() -> FakeNamespace:
    return FakeNamespace(FakeClock().spend)


@pytest.fixture
def known(kernel: FakeNamespace) -> KnownWaits:
    return KnownWaits(kernel.namespace())


def test_none_is_known_before_a_walk(known: KnownWaits) -> None:
    assert (known.oldest([GROUP]), known.count(GROUP)) == ({}, 0)


def test_the_oldest_that_still_waits_is_looked_up(known: KnownWaits, kernel: FakeNamespace) -> None:
    known.set(GROUP, [waiting(cookie, HERE, seconds) for cookie, seconds in ((1, 1.0), (2, 4.0), (3, 2.0))])
    kernel.redirected = [waiting(3, HERE, 7.0), waiting(1, HERE, 6.0)]
    assert known.oldest([GROUP, OTHER]) == {GROUP: 7.0}
    assert (kernel.lookups.asked, known.count(GROUP)) == (2, 2)
    known.oldest([GROUP])
    assert kernel.lookups.asked == 3, "one that was accepted is not looked up again"


def test_where_many_were_accepted_the_rest_is_not_looked_for(
    known: KnownWaits, kernel: FakeNamespace
) -> None:
    known.set(GROUP, [waiting(cookie, HERE, 1000.0 - cookie) for cookie in range(1, 500)])
    kernel.redirected = [waiting(499, HERE, 1.0)]
    assert (known.oldest([GROUP]), known.count(GROUP)) == ({}, 0)
    assert kernel.lookups.asked == 20


def test_what_waited_elsewhere_is_forgotten(known: KnownWaits, kernel: FakeNamespace) -> None:
    kernel.redirected = [waiting(1, HERE, 1.0)]
    for group in (GROUP, OTHER):
        known.set(group, kernel.redirected)
    known.keep([OTHER])
    assert (known.count(GROUP), known.oldest([OTHER])) == (0, {OTHER: 1.0})
