"""The document with the changes of queues."""

from __future__ import annotations

import json
from typing import Any

import pytest

from exporter.api.history import History
from exporter.api.query import ListenerQuery, QueryError
from tests.listeners.sockets import tcp, unix
from tests.sampling.simulation import TICK_SECONDS, Simulation

ADDRESS = "10.0.0.1"


class Host:
    """A TCP listener at port 80 and a unix one, and what the document says of them."""

    def __init__(self, config: str = "{}") -> None:
        self.simulation = Simulation(config)
        self.simulation.kernel.tcp.open(tcp(1, ADDRESS, 80), length=0, limit=9)
        self.simulation.kernel.unix.open(unix(2, b"/run/app.sock"), length=0, limit=4)
        self.simulation.tick(30)

    def wait(self, length: int, seconds: float = TICK_SECONDS) -> None:
        """Let so many connections wait at port 80 for so long."""
        self.simulation.kernel.tcp.change(1, length=length)
        self.simulation.run_for(seconds)

    def document(self, query: str = "", max_changes: int = 1000) -> dict[str, Any]:
        """The document, as a client reads it."""
        simulation = self.simulation
        history = History(simulation.sampler, simulation.clock.clock(), max_changes)
        found = history.document(ListenerQuery.parse(query))
        document: dict[str, Any] = json.loads(json.dumps(found))
        return document


def test_it_has_the_labels_the_peak_and_every_change() -> None:
    host = Host()
    host.wait(7)
    host.wait(0, 5.0)
    document = host.document()
    (entry,) = document["listeners"]
    changes = entry.pop("changes")
    assert entry == {
        "netns": "host",
        "protocol": "tcp",
        "address": ADDRESS,
        "port": "80",
        "process": "",
        "queue": "accept",
        "limit": 9,
        "peak_length": 7,
        "peak_ratio": 0.7,
    }
    assert [change[1:] for change in changes] == [[0, 0.0], [7, 0.7], [0, 0.0]]
    times = [change[0] for change in changes]
    assert times[2] - times[1] == pytest.approx(TICK_SECONDS, abs=0.002)
    assert document["time"] - times[2] == pytest.approx(5.0, abs=0.1)
    assert (document["omitted"], document["dropped_changes"]) == (0, 0)


def test_a_closed_listener_has_unknown_at_its_end() -> None:
    host = Host()
    host.wait(3)
    host.simulation.kernel.tcp.close(1)
    host.simulation.run_for(1.0)
    (entry,) = host.document()["listeners"]
    assert entry["changes"][-1][1:] == [None, None]
    assert entry["peak_length"] == 3


def test_only_what_is_asked_for_is_there() -> None:
    host = Host()
    host.wait(3)
    host.simulation.kernel.unix.change(2, length=5)
    host.wait(0, 20.0)
    assert len(host.document()["listeners"]) == 2
    assert [entry["address"] for entry in host.document("protocol=unix")["listeners"]] == ["/run/app.sock"]
    (entry,) = host.document("port=80&since=10s")["listeners"]
    assert [change[1] for change in entry["changes"]] == [0]
    assert host.document("port=81")["listeners"] == []


def test_the_fullest_comes_first() -> None:
    host = Host()
    host.wait(3)
    host.simulation.kernel.unix.change(2, length=5)
    host.wait(0)
    assert [entry["protocol"] for entry in host.document()["listeners"]] == ["unix", "tcp"]


def test_a_crossed_threshold_is_an_episode_with_the_minute_around_it() -> None:
    host = Host("recorder: {window: 1m}")
    host.wait(6, 2.0)
    host.wait(0, 90.0)
    document = host.document("since=1h")
    assert document["listeners"] == []
    (episode,) = document["episodes"]
    assert (episode["port"], episode["queue"], episode["severity"]) == ("80", "accept", "warning")
    assert episode["peak_length"] == 6
    assert [change[1] for change in episode["changes"]] == [0, 6, 0]
    assert episode["at"] == episode["changes"][1][0]
    # The changes of that time are forgotten, the minute around the crossing is not.
    assert host.document()["episodes"] == document["episodes"]
    assert host.document("since=1m")["episodes"] == []
    assert host.document("since=1h&port=81")["episodes"] == []


def test_it_says_where_the_recorder_is_off() -> None:
    assert Host().document()["enabled"] is True
    assert Host("recorder: {enabled: false}").document()["enabled"] is False


def test_what_does_not_fit_is_counted() -> None:
    host = Host()
    host.simulation.kernel.unix.change(2, length=1)
    for number in range(10):
        host.wait(3 + number % 2)
    document = host.document(max_changes=5)
    assert [entry["protocol"] for entry in document["listeners"]] == ["unix"]
    assert document["omitted"] == 1


def test_clients_of_the_past_are_not_kept() -> None:
    with pytest.raises(QueryError, match="ask /api/v1/listeners for them"):
        Host().document("clients=5")


def test_it_reaches_back_no_further_than_the_recorder() -> None:
    host = Host("recorder: {window: 1m}")
    begin = host.document()["since_seconds"]
    assert 0 < begin < 60
    host.wait(0, 10.0)
    assert host.document()["since_seconds"] == pytest.approx(begin + 10.0)
    assert host.document("since=3s")["since_seconds"] == 3.0
    host.wait(0, 100.0)
    assert host.document("since=99d")["since_seconds"] == 60.0


def test_it_tells_whether_any_listener_is_meant() -> None:
    host = Host()
    assert [host.document(query)["matching"] for query in ("", "port=80", "port=81")] == [2, 1, 0]
