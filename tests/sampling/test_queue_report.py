"""What the log says of full queues: when they become full, and when that is over."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from tests.listeners.sockets import tcp
from tests.sampling.simulation import Simulation

ADDRESS = "10.0.0.1"


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


def test_a_critical_queue_is_told_after_hold_and_again_when_it_is_full(
    caplog: pytest.LogCaptureFixture,
) -> None:
    made = simulation("defaults: {accept: {critical: 90%}, hold: 3s}")
    wait(made, 9, 2.0)
    assert lines(caplog) == []
    wait(made, 9, 2.0)
    assert [message for message, _ in lines(caplog)] == ["accept queue is critical"]
    wait(made, 10, 1.0)
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
    wait(made, 10, 2.0)
    made.kernel.tcp.close(1)
    made.run_for(15.0)
    assert [message for message, _ in lines(caplog)] == ["accept queue is full", "accept queue has cleared"]
    full = str(lines(caplog)[-1][1]["full"])
    assert 1.0 <= float(full.removesuffix("s")) <= 3.0
