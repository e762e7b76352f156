"""The SYN queue of a listener is compared with a limit that follows from backlogs and settings."""

from __future__ import annotations

import pytest

from exporter.config.model import Severity
from exporter.kernel.syn_queue import SynQueueBound
from exporter.sampling.listener_state import ListenerState
from tests.listeners.sockets import endpoint, tcp, unix
from tests.sampling.simulation import TICK_SECONDS, Simulation

KNOWN = {Severity.WARNING: True, Severity.CRITICAL: True}
UNKNOWN = {Severity.WARNING: False, Severity.CRITICAL: False}


def known(state: ListenerState) -> dict[Severity, bool]:
    """Whether the SYN queue can be compared with each threshold, so that there is a series of it."""
    assert state.syn_recv is not None
    return {severity: each.known for severity, each in state.syn_recv.threshold_states.items()}


def exceeded(state: ListenerState) -> dict[Severity, bool]:
    """Which thresholds the SYN queue exceeds."""
    assert state.syn_recv is not None
    return {severity: state.syn_recv.active(severity) for severity in Severity}


@pytest.mark.parametrize("fold", [False, True])
@pytest.mark.parametrize("connections", [0, 3])
def test_a_syn_queue_can_be_compared_while_its_limit_is_known(
    fold: bool,  # noqa: FBT001
    connections: int,
) -> None:
    """Also an empty one, of which no half-open connection reminds, and one that stands for others."""
    simulation = Simulation(f"rules: [{{name: all, fold: {str(fold).lower()}}}]")
    kernel = simulation.kernel
    if connections:
        kernel.syn_recv_dump.counts = {endpoint("10.0.0.1"): connections}
    kernel.tcp.open(tcp(1))
    simulation.host.run(1, b"app", 100)
    simulation.run_for(1.5)
    (state,) = simulation.sampler.published(simulation.clock.now)
    assert ("*" in state.group.key) is fold
    assert known(state) == KNOWN
    kernel.tcp.change_to_procfs()
    simulation.tick(2)
    assert known(state) == UNKNOWN
    kernel.tcp.change(tcp(1).inode, limit=9)
    simulation.tick()
    assert known(state) == KNOWN


def test_half_open_connections_are_compared_with_a_new_backlog_at_once(simulation: Simulation) -> None:
    """The sample of the listeners that finds it is enough."""
    simulation.kernel.syn_recv_dump.counts = {endpoint("10.0.0.1"): 4}
    simulation.kernel.tcp.open(tcp(1))
    simulation.run_for(1.0 + TICK_SECONDS)
    state = simulation.listener("0.0.0.0")
    assert exceeded(state) == {Severity.WARNING: False, Severity.CRITICAL: False}
    asked = simulation.kernel.syn_recv_dump.asked
    simulation.kernel.tcp.change(1, limit=3)
    simulation.tick()
    assert simulation.kernel.syn_recv_dump.asked == asked
    assert state.syn_recv is not None
    assert (state.syn_recv.ratio, state.syn_recv.length) == (1.0, 4)
    assert exceeded(state) == {Severity.WARNING: True, Severity.CRITICAL: True}


@pytest.mark.parametrize("connections", [0, 4])
def test_half_open_connections_are_compared_with_another_setting_at_once(
    simulation: Simulation, connections: int
) -> None:
    simulation.kernel.tcp.open(tcp(1))
    simulation.run_for(1.0)
    state = simulation.listener("0.0.0.0")
    state.observe_syn_recv(connections)
    state.set_syn_queue_bound(SynQueueBound(1, 4))
    assert exceeded(state) == dict.fromkeys(Severity, bool(connections))
    assert known(state) == KNOWN


def test_a_listener_without_a_syn_queue_has_no_limit_to_compare_with(simulation: Simulation) -> None:
    simulation.kernel.unix.open(unix(1))
    simulation.tick()
    state = simulation.listener("/run/app.sock", "")
    state.set_syn_queue_bound(SynQueueBound(1, 4))
    assert (state.syn_recv, state.syn_recv_limit()) == (None, None)


@pytest.mark.parametrize(("counts", "limit"), [([9], 9), ([10], 10), ([10, 0], 10), ([11], 9), ([], 9)])
def test_a_queue_that_holds_one_more_than_its_backlog_may_hold_that(
    simulation: Simulation, counts: list[int], limit: int
) -> None:
    """Where the version of the kernel does not tell. More than one came under a backlog that was larger."""
    simulation.kernel.tcp.open(tcp(1), limit=9)
    simulation.run_for(1.0)
    state = simulation.listener("0.0.0.0")
    state.set_syn_queue_bound(SynQueueBound(0))
    for count in counts:
        state.observe_syn_recv(count)
    assert state.syn_recv_limit() == limit
