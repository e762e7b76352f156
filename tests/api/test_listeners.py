"""The document with every listener."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.api.listener_row import columns
from exporter.api.listeners import Listeners
from exporter.api.query import ListenerQuery
from exporter.kernel.errors import KernelError
from tests.listeners.sockets import tcp, unix
from tests.sampling.simulation import Simulation

ADDRESS = "10.0.0.1"


def simulation(config: str = "{}") -> Simulation:
    made = Simulation(config)
    made.kernel.tcp.open(tcp(1, ADDRESS, 80), length=0, limit=9)
    made.kernel.unix.open(unix(2, b"/run/app.sock"), length=0, limit=4)
    made.tick(30)
    return made


def document(made: Simulation, query: str = "") -> dict[str, Any]:
    """The document, as a client reads it."""
    found = Listeners(made.sampler, made.clock.clock()).document(ListenerQuery.parse(query))
    read: dict[str, Any] = json.loads(json.dumps(found))
    return read


def test_a_listener_has_labels_state_and_figures() -> None:
    made = simulation()
    made.kernel.tcp.change(1, length=2)
    made.run_for(1.0)
    listener, other = document(made)["listeners"]
    assert {
        name: listener[name] for name in ("netns", "protocol", "address", "port", "process", "state")
    } == {
        "netns": "host",
        "protocol": "tcp",
        "address": ADDRESS,
        "port": "80",
        "process": "",
        "state": "ok",
    }
    assert (listener["accept_length"], listener["accept_limit"], listener["drops_total"]) == (2, 9, 0)
    assert listener["accept_utilization_ratio"] == 0.2
    assert list(listener) == columns()
    # It has no SYN queue.
    assert (other["address"], other["syn_recv"]) == ("/run/app.sock", None)


@pytest.mark.parametrize(
    ("length", "state"), [(0, "ok"), (4, "ok"), (5, "warning"), (9, "critical"), (10, "full")]
)
def test_the_state_is_the_worst_that_holds(length: int, state: str) -> None:
    made = simulation()
    made.kernel.tcp.change(1, length=length)
    made.run_for(1.0)
    assert document(made, "port=80")["listeners"][0]["state"] == state


def test_a_queue_that_cannot_be_compared_with_its_thresholds_is_not_ok() -> None:
    """As where only /proc can be read, which has no backlog."""
    made = Simulation()
    made.kernel.tcp.open(tcp(1, ADDRESS, 80), length=2, limit=None)
    made.tick(30)
    (listener,) = document(made)["listeners"]
    assert (listener["accept_length"], listener["accept_limit"], listener["state"]) == (2, None, None)


def test_a_listener_has_the_rule_that_applies_and_its_thresholds_as_they_are_written() -> None:
    rule = "{name: web, match: {port: 80}, accept: {warning: 7}, syn_recv: {critical: 99.5%}}"
    listener, other = document(simulation(f"rules: [{rule}]"))["listeners"]
    names = [
        f"{queue}_{severity}" for queue in ("accept", "syn_recv") for severity in ("warning", "critical")
    ]
    assert [listener[name] for name in names] == ["7", "90%", "50%", "99.5%"]
    assert listener["rule"] == "web"
    # It has no SYN queue.
    assert [other[name] for name in names] == ["50%", "90%", None, None]


def test_peaks_are_those_of_the_time_since_the_first_sample() -> None:
    made = simulation("sampling: {peak_window: 10s}")
    made.kernel.tcp.change(1, length=8)
    made.run_for(1.0)
    made.kernel.tcp.change(1, length=1)
    made.run_for(1.0)
    (listener,) = document(made, "port=80")["listeners"]
    assert (listener["accept_length"], listener["accept_peak_length"]) == (1, 8)
    assert listener["accept_peak_utilization_ratio"] == 0.8
    assert 3.0 < listener["peak_seconds"] < 4.0
    made.run_for(10.0)
    (listener,) = document(made, "port=80")["listeners"]
    assert (listener["accept_peak_length"], listener["peak_seconds"]) == (1, 10.0)


def test_the_worst_state_comes_first_whatever_is_fuller() -> None:
    made = simulation("rules: [{name: web, match: {port: 80}, accept: {critical: 1, warning: 1}}]")
    made.kernel.tcp.change(1, length=1)
    made.kernel.unix.change(2, length=4)
    made.run_for(1.0)
    found = [(each["protocol"], each["state"]) for each in document(made)["listeners"]]
    assert found == [("tcp", "critical"), ("unix", "warning")]


def test_of_equals_the_one_that_was_fuller_comes_first() -> None:
    made = simulation()
    made.kernel.unix.change(2, length=1)
    made.run_for(1.0)
    made.kernel.unix.change(2, length=0)
    made.run_for(1.0)
    assert [each["protocol"] for each in document(made)["listeners"]] == ["unix", "tcp"]


def test_each_socket_is_there_where_that_is_asked_for() -> None:
    made = simulation()
    made.kernel.tcp.open(tcp(3, ADDRESS, 80), length=4, limit=4, drops=6)
    made.run_for(1.0)
    (listener,) = document(made, "port=80&members=true")["listeners"]
    assert listener["sockets"] == 2
    fuller, other = listener["members"]
    assert (fuller["accept_length"], fuller["accept_limit"], fuller["accept_utilization_ratio"]) == (
        4,
        4,
        0.8,
    )
    assert (fuller["drops_total"], other["accept_length"]) == (6, 0)
    assert fuller["inode"] != other["inode"]
    assert "members" not in document(made)["listeners"][0]


def test_what_is_not_seen_is_told_unless_the_configuration_leaves_it_out() -> None:
    (told,) = document(simulation())["not_seen"]
    assert told["what"] == "other network namespaces (containers)"
    assert "CAP_SYS_ADMIN" in told["needs"]


def test_a_source_that_has_not_answered_for_long_is_an_error() -> None:
    """Its listeners are gone, and nothing else would tell."""
    made = simulation()
    made.clock.now += 6.0
    found = document(made)
    assert found["listeners"] == []
    assert [(each["source"], each["error"]) for each in found["errors"] if each["hides_listeners"]] == [
        ("inet", "the newest sample is older than 5 s"),
        ("unix", "the newest sample is older than 5 s"),
    ]


def test_the_fullest_comes_first_and_only_what_is_asked_for_is_there() -> None:
    made = simulation()
    made.kernel.unix.change(2, length=3)
    made.run_for(1.0)
    assert [each["protocol"] for each in document(made)["listeners"]] == ["unix", "tcp"]
    assert [each["protocol"] for each in document(made, "protocol=tcp")["listeners"]] == ["tcp"]


def test_where_a_source_fails_its_listeners_are_gone_and_the_error_is_told() -> None:
    made = simulation()
    made.kernel.tcp.error = KernelError("cannot ask", "EPERM")
    made.run_for(1.0)
    found = document(made)
    assert [each["protocol"] for each in found["listeners"]] == ["unix"]
    error = {"netns": "host", "source": "inet", "error": "cannot ask: EPERM", "hides_listeners": True}
    assert found["errors"] == [error]
