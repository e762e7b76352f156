"""What the page for people shows of one listener."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.api.details import EPISODE_SPANS, SPANS, Details
from exporter.kernel.errors import KernelError
from tests.api.test_clients import answering, waits
from tests.listeners.sockets import tcp
from tests.sampling.simulation import TICK_SECONDS, Simulation
from tests.status_page.shown_host import busy, quiet

NGINX = {"netns": "host", "protocol": "tcp", "address": "10.0.0.1", "port": "80", "process": "nginx"}


def document(made: Simulation, **changes: str) -> dict[str, Any]:
    return Details(made.sampler, made.clock.clock()).document({**NGINX, **changes})


def test_figures_owners_and_thresholds() -> None:
    found = document(busy())
    assert (found["listener"]["state"], found["listener"]["accept_length"], found["rule"]) == (
        "full",
        10,
        "defaults",
    )
    assert found["owners"] == [
        {
            "process": "nginx",
            "command": "nginx",
            "unit": "nginx.service",
            "slice": "system.slice",
            "cgroup": "/system.slice/nginx.service",
        }
    ]
    accept, syn_recv = found["queues"]
    assert (accept["queue"], accept["limit"], syn_recv["queue"], syn_recv["limit"]) == (
        *("accept", 9),
        *("syn_recv", 10),
    )
    assert accept["thresholds"] == [
        {"severity": "warning", "level": "50%", "ratio": 0.5},
        {"severity": "critical", "level": "90%", "ratio": 0.9},
    ]


def test_a_threshold_in_connections_is_drawn_where_it_is() -> None:
    found = document(busy("defaults: {accept: {warning: 5, critical: 8}}"))
    assert [each["ratio"] for each in found["queues"][0]["thresholds"]] == [0.5, 0.8]


def test_a_spike_of_one_sample_is_there_with_its_length_and_its_minute() -> None:
    made = busy()
    found = document(made, port="8080", process="")
    accept = found["queues"][0]
    (spike,) = accept["spikes"]
    assert spike["length"] == 70
    assert spike["end"] - spike["begin"] == pytest.approx(TICK_SECONDS)
    assert len(accept["spans"]) == SPANS
    # It may lie on the border of two seconds.
    assert [ratio for ratio in accept["spans"] if ratio][:1] == [pytest.approx(0.7)]
    assert sum(1 for ratio in accept["spans"] if ratio) <= 2
    (episode,) = found["episodes"]
    assert (episode["severity"], episode["queue"], episode["peak_length"]) == ("warning", "accept", 70)
    assert len(episode["spans"]) == EPISODE_SPANS
    # The crossing is in its middle.
    assert episode["spans"][EPISODE_SPANS // 2] == pytest.approx(0.7)
    assert episode["at"] == pytest.approx(spike["begin"], abs=0.01)


def test_one_that_is_gone_has_what_was_recorded() -> None:
    made = busy()
    made.kernel.tcp.close(1)
    made.run_for(5.0)
    found = document(made)
    assert (found["listener"], found["owners"]) == (None, [])
    assert found["queues"][0]["peak_length"] == 10


def test_one_that_never_was_has_nothing() -> None:
    found = document(busy(), port="81")
    assert (found["listener"], found["queues"], found["episodes"]) == (None, [], [])


def test_another_with_a_name_that_a_pattern_would_match_is_not_taken() -> None:
    assert document(busy(), port="*")["listener"] is None


def test_what_cannot_be_read_has_no_peak() -> None:
    found = document(busy(), protocol="unix", address="/run/unreadable.sock", port="", process="")
    (accept,) = found["queues"]
    assert (accept["peak_length"], accept["peak_ratio"], set(accept["spans"])) == (None, None, {None})


def test_what_is_older_than_the_recorder_keeps_is_not_known() -> None:
    found = document(busy("recorder: {window: 30s}"))
    for queue in found["queues"]:
        assert set(queue["spans"][: SPANS - 30]) == {None}
        assert None not in queue["spans"][SPANS - 30 :]


def test_clients_are_there_where_they_are_asked_for() -> None:
    made = Simulation()
    made.kernel.tcp.open(tcp(1, "127.0.0.1", 8000), length=2)
    made.tick(30)
    made.kernel.sockets = kernel = answering(waits(1, "192.0.2.1"), waits(2, "192.0.2.1"))
    labels = {"netns": "host", "protocol": "tcp", "address": "127.0.0.1", "port": "8000", "process": ""}
    details = Details(made.sampler, made.clock.clock())
    assert details.document(labels)["clients"] is None
    assert details.document({**labels, "port": "8001"}, clients=10)["clients"] is None
    assert kernel.requests == []
    found = details.document(labels, clients=10)["clients"]
    assert [(each["address"], each["waiting"]) for each in found["addresses"]] == [("192.0.2.1", 2)]


def test_the_time_in_which_a_source_failed_is_not_known() -> None:
    """Also of a queue that was empty before and after."""
    made = quiet()
    made.run_for(60.0)
    made.kernel.tcp.error = KernelError("refused", "test")
    made.run_for(30.0)
    made.kernel.tcp.error = None
    made.run_for(60.0)
    accept = document(made)["queues"][0]
    assert accept["spans"][-85:-65] == [None] * 20
    assert accept["spans"][-55:] == [0.0] * 55
    assert accept["spans"][-140:-95] == [0.0] * 45


def test_what_was_lost_for_lack_of_memory_is_not_known() -> None:
    made = quiet("recorder: {max_mebibytes: 1}")
    made.kernel.tcp.change(1, length=1)
    made.tick()
    made.kernel.tcp.change(1, length=0)
    made.kernel.tcp.open(*(tcp(cookie, "10.0.0.2", cookie) for cookie in range(100, 160)), length=0, limit=4)
    made.tick()
    for number in range(1500):
        for cookie in range(100, 160):
            made.kernel.tcp.change(cookie, length=5 - number % 2)
        made.tick()
    accept = document(made)["queues"][0]
    assert set(accept["spans"]) == {None}
    assert accept["peak_length"] is None
