"""The document with every listener."""

from __future__ import annotations

import json
from typing import Any

import pytest

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
    assert found["errors"] == [{"netns": "host", "source": "inet", "error": "cannot ask: EPERM"}]
