"""Whether any queue of a namespace holds a connection, and what leaves a table alone."""

from __future__ import annotations

import pytest

from exporter.kernel.family import TCP
from exporter.kernel.records import UNCHANGED
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.simulation import Simulation


def any_waiting(simulation: Simulation) -> bool:
    """After a second, in which everything is asked."""
    simulation.run_for(1.0)
    return bool(simulation.namespace.table.waiting())


def test_no_connection_waits_in_a_table_without_listeners(simulation: Simulation) -> None:
    assert not any_waiting(simulation)


def test_a_connection_waits_in_an_accept_queue_until_it_is_accepted(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1))
    simulation.kernel.unix.open(unix(2))
    assert not any_waiting(simulation)
    for family, cookie in ((simulation.kernel.tcp, 1), (simulation.kernel.unix, 2)):
        family.change(cookie, length=1)
        assert any_waiting(simulation)
        family.change(cookie, length=0)
        assert not any_waiting(simulation)


def test_a_half_open_connection_waits_as_well(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1))
    simulation.kernel.syn_recv_dump.counts = {endpoint("10.0.0.1"): 4}
    assert any_waiting(simulation)
    simulation.kernel.syn_recv_dump.counts = {}
    assert not any_waiting(simulation)


@pytest.mark.parametrize("family", ["tcp", "unix"])
def test_none_waits_at_a_listener_that_closed(simulation: Simulation, family: str) -> None:
    listener = tcp(1) if family == "tcp" else unix(1)
    requests = {"tcp": simulation.kernel.tcp, "unix": simulation.kernel.unix}[family]
    requests.open(listener, length=3)
    assert any_waiting(simulation)
    requests.close(1)
    assert not any_waiting(simulation)


def test_an_answer_that_nothing_changed_changes_nothing_but_what_has_expired(simulation: Simulation) -> None:
    simulation.kernel.tcp.open(tcp(1), tcp(2, port=81), length=1)
    simulation.tick()
    simulation.kernel.tcp.close(2)
    simulation.tick()
    table, now = simulation.namespace.table, simulation.clock.now
    version, states = table.sockets_version, dict(table.states)
    table.update(TCP, UNCHANGED, now)
    assert (table.sockets_version, table.states) == (version, states)
    assert table.waiting()
    table.update(TCP, UNCHANGED, now + 301.0)
    assert [group.key.port for group in table.states] == ["80"]
    assert table.sockets_version == version
