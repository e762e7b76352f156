"""What the log says of full queues: when they become full, and when that is over."""

from __future__ import annotations

import itertools
import logging
import socket
from collections.abc import Iterator

import pytest

from tests.listeners.sockets import endpoint, tcp, unix, waiting
from tests.sampling.simulation import Simulation

ADDRESS = "10.0.0.1"
# Clients are known by then, or are not waited for any more.
LATER = 2.5
COOKIES = itertools.count(1)


@pytest.fixture(autouse=True)
def all_levels(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Take every line of the report."""
    with caplog.at_level(logging.INFO, "exporter.sampling.queue_report"):
        yield


def simulation(config: str = "{}") -> Simulation:
    made = Simulation(config)
    made.kernel.tcp.open(tcp(1, ADDRESS, 80), length=0, limit=9)
    made.run_for(3.0)
    return made


def wait(made: Simulation, length: int, seconds: float) -> None:
    made.kernel.tcp.change(1, length=length)
    made.run_for(seconds)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, dict[str, object]]]:
    return [(record.getMessage(), record.__dict__["fields"]) for record in caplog.records]


def test_a_full_queue_is_told_once_and_its_end_once(caplog: pytest.LogCaptureFixture) -> None:
    made = simulation()
    wait(made, 10, 5.0)
    assert lines(caplog) == [
        (
            "accept queue is full",
            {
                "netns": "host",
                "protocol": "tcp",
                "address": ADDRESS,
                "port": "80",
                "length": 10,
                "backlog": 9,
            },
        )
    ]
    wait(made, 0, 9.0)
    assert len(lines(caplog)) == 1
    wait(made, 0, 2.0)
    (_, (message, fields)) = lines(caplog)
    assert message == "accept queue has cleared"
    assert (fields["lasted"], fields["full"]) == ("5.0s", "5.00s")
    wait(made, 0, 60.0)
    assert len(lines(caplog)) == 2


def test_a_spike_between_two_reports_is_told(caplog: pytest.LogCaptureFixture) -> None:
    made = simulation()
    wait(made, 10, 0.05)
    wait(made, 0, 2.0)
    assert [message for message, _ in lines(caplog)] == ["accept queue is full"]


def test_a_queue_that_is_full_again_and_again_has_not_cleared(caplog: pytest.LogCaptureFixture) -> None:
    made = simulation()
    for _ in range(20):
        wait(made, 10, 1.0)
        wait(made, 0, 4.0)
    assert len(lines(caplog)) == 1
    wait(made, 0, 11.0)
    assert lines(caplog)[1][1]["full"] == "20.00s"


def test_a_queue_that_goes_on_moving_has_cleared(caplog: pytest.LogCaptureFixture) -> None:
    made = simulation()
    wait(made, 10, 1.0)
    for _ in range(12):
        wait(made, 1, 0.5)
        wait(made, 0, 0.5)
    (_, (message, fields)) = lines(caplog)
    assert (message, fields["lasted"]) == ("accept queue has cleared", "1.0s")
    wait(made, 10, LATER)
    assert [each for each, _ in lines(caplog)][2:] == ["accept queue is full"]


def test_a_critical_queue_is_told_after_hold_and_again_when_it_is_full(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = simulation("defaults: {accept: {critical: 90%}, hold: 3s}")
    wait(made, 9, 2.0)
    assert lines(caplog) == []
    wait(made, 9, 2.0)
    assert [message for message, _ in lines(caplog)] == ["accept queue is critical"]
    wait(made, 10, LATER)
    assert [message for message, _ in lines(caplog)] == ["accept queue is critical", "accept queue is full"]


def test_what_was_over_before_hold_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    made = simulation("defaults: {accept: {critical: 90%}, hold: 3s}")
    wait(made, 9, 2.0)
    wait(made, 0, 30.0)
    assert lines(caplog) == []


def test_a_listener_that_is_not_published_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    made = simulation("defaults: {export: false}")
    wait(made, 10, 5.0)
    wait(made, 0, 30.0)
    assert lines(caplog) == []


def test_a_listener_that_is_closed_while_it_is_full_has_cleared(caplog: pytest.LogCaptureFixture) -> None:
    made = simulation()
    wait(made, 10, LATER)
    made.kernel.tcp.close(1)
    made.run_for(15.0)
    assert [message for message, _ in lines(caplog)] == ["accept queue is full", "accept queue has cleared"]
    full = str(lines(caplog)[-1][1]["full"])
    assert LATER - 1.0 <= float(full.removesuffix("s")) <= LATER + 1.0


def clients(made: Simulation, *peers: tuple[str, int]) -> None:
    """Let so many connections of each of these IPv4 addresses wait."""
    addresses = [socket.inet_aton(address) for address, count in peers for _ in range(count)]
    made.kernel.connections = [
        waiting(next(COOKIES), endpoint(ADDRESS), 1.0)._replace(peer_address=address) for address in addresses
    ]


def test_the_clients_that_wait_most_are_named(caplog: pytest.LogCaptureFixture) -> None:
    made = simulation()
    clients(made, ("10.0.0.9", 2), ("10.0.0.10", 5), ("10.0.0.11", 1), ("10.0.0.12", 2))
    wait(made, 10, LATER)
    named = "10.0.0.10 (5), 10.0.0.12 (2), 10.0.0.9 (2)"
    assert [fields["clients"] for _, fields in lines(caplog)] == [named]
    clients(made)
    wait(made, 0, 11.0)
    assert [fields["clients"] for _, fields in lines(caplog)] == [named, named]


def test_clients_are_those_of_the_level_that_is_told(caplog: pytest.LogCaptureFixture) -> None:
    made = simulation("defaults: {accept: {critical: 90%}}")
    clients(made, ("10.0.0.9", 9))
    wait(made, 9, LATER)
    clients(made, ("10.0.0.9", 3), ("10.0.0.10", 7))
    wait(made, 10, LATER)
    assert [fields["clients"] for _, fields in lines(caplog)] == [
        "10.0.0.9 (9)",
        "10.0.0.10 (7), 10.0.0.9 (3)",
    ]


def test_a_queue_that_is_full_later_has_its_own_clients(caplog: pytest.LogCaptureFixture) -> None:
    made = simulation()
    clients(made, ("10.0.0.9", 10))
    wait(made, 10, LATER)
    wait(made, 1, 30.0)
    clients(made, ("10.0.0.10", 10))
    wait(made, 10, LATER)
    named = [fields["clients"] for _, fields in lines(caplog)]
    assert named == ["10.0.0.9 (10)", "10.0.0.9 (10)", "10.0.0.10 (10)"]


def test_a_listener_whose_clients_cannot_be_known_is_told_all_the_same(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = simulation()
    wait(made, 10, 1.0)
    assert lines(caplog) == []
    wait(made, 10, LATER)
    assert ["clients" in fields for _, fields in lines(caplog)] == [False]


def test_a_unix_listener_has_no_clients_to_wait_for(caplog: pytest.LogCaptureFixture) -> None:
    made = simulation()
    made.kernel.unix.open(unix(2, b"/run/a"), length=0, limit=9)
    made.run_for(3.0)
    made.kernel.unix.change(2, length=10)
    made.run_for(1.0)
    assert [fields["address"] for _, fields in lines(caplog)] == ["/run/a"]


def test_of_a_folded_listener_the_real_port_is_told(caplog: pytest.LogCaptureFixture) -> None:
    made = simulation("rules: [{name: ftp, match: {port: 40000-50000}, fold: true}]")
    made.kernel.tcp.open(tcp(2, ADDRESS, 40001), length=10, limit=9)
    arrived = endpoint(ADDRESS, 40001)
    made.kernel.connections = [waiting(3, arrived, 1.0)._replace(peer_address=socket.inet_aton("10.0.0.9"))]
    made.run_for(4.0)
    assert [(fields["port"], fields["clients"]) for _, fields in lines(caplog)] == [("40001", "10.0.0.9 (1)")]
