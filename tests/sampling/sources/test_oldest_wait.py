"""Waits where a queue holds connections that no dump shows, as those that ended with RST."""

from __future__ import annotations

import pytest

from tests.listeners.sockets import endpoint, tcp
from tests.sampling.simulation import Simulation

# Beyond the backlog of 9.
FULL = 10
HERE = endpoint("10.0.0.1")


def oldest(simulation: Simulation, address: str = "0.0.0.0", port: str = "80") -> float | None:
    """Ask for waits, and return that of a listener."""
    simulation.run_for(1.1)
    return simulation.listener(address, port).oldest_wait_seconds()


def test_a_queue_of_which_no_dump_shows_anything_has_no_wait(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=FULL)
    assert oldest(simulation) is None
    assert simulation.runner("oldest_wait").healthy(simulation.clock.now)


def test_of_one_socket_the_oldest_that_a_dump_shows_counts(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=FULL)
    simulation.kernel.waits = {HERE: 2.5}
    assert oldest(simulation) == 2.5


@pytest.mark.parametrize(("full", "other", "known"), [(FULL, 1, False), (FULL - 1, 2, True)])
def test_the_wait_at_another_socket_says_nothing_of_one_that_is_full(
    simulation: Simulation,
    full: int,
    other: int,
    known: bool,  # noqa: FBT001
) -> None:
    """A dump shows one connection, and which of the sockets it waits at is not in it."""
    simulation.kernel.tcp.open(tcp(1), length=full)
    simulation.kernel.tcp.open(tcp(2), length=other)
    simulation.kernel.waits = {HERE: 2.5}
    assert oldest(simulation) == (2.5 if known else None)


def test_the_wait_is_known_where_too_few_are_missing_for_a_full_socket(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=FULL)
    simulation.kernel.tcp.open(tcp(2), length=1)
    simulation.kernel.waits = {HERE: 2.5, endpoint("10.0.0.2"): 0.5}
    assert oldest(simulation) == 2.5


def test_without_backlogs_the_oldest_that_a_dump_shows_counts(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), length=FULL, limit=None)
    simulation.kernel.tcp.open(tcp(2), length=1, limit=None)
    simulation.kernel.waits = {HERE: 2.5}
    assert oldest(simulation) == 2.5


FOLDING = """
rules: [{name: transfers, match: {port: [8000-8999]}, fold: true}]
"""


@pytest.mark.parametrize(("length", "expected"), [(FULL, None), (FULL - 1, 2.5)])
def test_a_folded_listener_has_no_wait_where_one_that_is_full_has_none(
    length: int, expected: float | None
) -> None:
    simulation = Simulation(FOLDING)
    simulation.kernel.tcp.open(tcp(1, port=8001), length=length)
    simulation.kernel.tcp.open(tcp(2, port=8002), length=2)
    simulation.kernel.waits = {endpoint("10.0.0.1", 8002): 2.5}
    simulation.run_for(2.2)
    with simulation.sampler.lock:
        (folded,) = simulation.sampler.published(simulation.clock.now)
    assert folded.oldest_wait_seconds() == expected
