"""Recorded replies are decoded to what there was, according to the calls that made it."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import pytest

from exporter.kernel.records import Endpoint, Listener, QueueReading
from exporter.kernel.sock_diag import accept_wait as waiting
from exporter.kernel.sock_diag import dump as netlink
from exporter.kernel.sock_diag import messages, syn_recv, unix
from exporter.kernel.sock_diag import tcp as inet
from tests.kernel import recorded_cases as situations
from tests.kernel import recordings
from tests.kernel.fake_kernel import FakeKernel
from tests.kernel.recorded_cases import LINK_LOCAL, SITUATIONS, Fact
from tests.kernel.recordings import Recording


def replayed(recording: Recording) -> list[bytes]:
    kernel = FakeKernel(*recording.datagrams, port=recording.port_id)
    return list(netlink.dump(recording.request, kernel.connect))


def rows(name: str) -> list[bytes]:
    return [row for datagram in replayed(recordings.load(name)) for row in messages.messages(datagram)]


def packed(address: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


def told(found: Iterable[tuple[Listener, QueueReading]]) -> list[Fact]:
    """Listeners in the words of the recording, by port."""
    facts: list[Fact] = []
    for listener, reading in found:
        assert listener.endpoint is not None
        assert reading.length is not None
        assert reading.limit is not None
        assert reading.drops is not None
        facts.append(
            {
                "v6only": listener.v6only,
                "device": listener.device,
                "length": reading.length,
                "drops": reading.drops,
                "address": socket.inet_ntop(listener.endpoint.family, listener.endpoint.address),
                "port": listener.endpoint.port,
                "limit": reading.limit,
            }
        )
    return sorted(facts, key=lambda fact: fact["port"])


@pytest.mark.parametrize("name", SITUATIONS)
def test_a_recording_is_an_answer_to_the_request_that_is_asked_today(name: str) -> None:
    """Who changes a request records its replies anew."""
    assert recordings.load(name).request == SITUATIONS[name].request


def test_there_is_a_recording_of_each_situation_and_no_other() -> None:
    assert set(recordings.names()) == set(SITUATIONS)


def test_tcp_listeners_of_every_kind() -> None:
    found = [(inet.listener(row), inet.reading(row)) for row in rows("tcp_listeners")]
    assert told(found) == recordings.load("tcp_listeners").truth


def test_tcp_listeners_have_what_belongs_to_every_socket() -> None:
    found = [inet.listener(row) for row in rows("tcp_listeners")]
    assert {listener.uid for listener in found} == {0}
    assert {listener.name for listener in found} == {b""}
    assert len({listener.cookie for listener in found}) == len({listener.inode for listener in found})
    assert len({listener.cookie for listener in found}) == len(found)
    assert all(listener.inode for listener in found)
    # They were made in the root of the tree.
    assert {listener.cgroup_id for listener in found} == {1}


def test_only_a_listener_bound_to_a_device_has_an_interface() -> None:
    found = [inet.listener(row) for row in rows("tcp_listeners")]
    bound = [listener.endpoint for listener in found if listener.endpoint and listener.endpoint.interface]
    assert {(endpoint.address, endpoint.port) for endpoint in bound} == {
        (packed(LINK_LOCAL)[1], 8005),
        (bytes(4), 8006),
    }


def test_a_reading_repeats_the_cookie_of_its_listener() -> None:
    for row in rows("tcp_listeners"):
        assert inet.cookie(row) == inet.reading(row).cookie == inet.listener(row).cookie
    for row in rows("unix_listeners"):
        assert unix.cookie(row) == unix.reading(row).cookie == unix.listener(row).cookie


def test_listeners_of_many_datagrams() -> None:
    recording = recordings.load("tcp_listeners_many")
    datagrams = replayed(recording)
    assert len(datagrams) > 2
    found = [row for datagram in datagrams for row in messages.messages(datagram)]
    limits = {}
    for row in found:
        endpoint = inet.listener(row).endpoint
        assert endpoint is not None
        limits[endpoint.port] = inet.reading(row).limit
    assert limits == {8000 + number: 1 + number for number in range(situations.MANY)}
    assert len(found) == situations.MANY


def test_rows_of_one_family_have_one_size() -> None:
    """What the comparison of whole datagrams, and half_open's counting in C, rest on."""
    for name in ("tcp_listeners_many", "half_open"):
        sizes = {(row[16], len(row)) for row in rows(name)}
        assert len(sizes) == len({family for family, _ in sizes})


def test_an_mptcp_listener_is_in_both_dumps_under_one_inode_each() -> None:
    (row,) = rows("mptcp_listeners")
    (fact,) = recordings.load("mptcp_listeners").truth
    listener = inet.listener(row)
    assert listener.endpoint == Endpoint(*packed(str(fact["address"])), int(fact["port"]), 0)
    assert listener.inode


def test_unix_listeners_of_every_kind() -> None:
    found = [(unix.listener(row), unix.reading(row)) for row in rows("unix_listeners")]
    facts = [
        {"name": listener.name.hex(), "length": reading.length, "limit": reading.limit}
        for listener, reading in found
    ]
    truth = recordings.load("unix_listeners").truth
    assert sorted(facts, key=str) == sorted(truth, key=str)
    assert {listener.uid for listener, _ in found} == {0}
    assert {reading.drops for _, reading in found} == {None}


def test_syn_recv_connections_at_each_endpoint() -> None:
    recording = recordings.load("half_open")
    expected = {
        Endpoint(*packed(str(fact["address"])), int(fact["port"]), 0): fact["count"]
        for fact in recording.truth
    }
    assert syn_recv.count(replayed(recording)) == expected


@pytest.mark.parametrize("name", ["waiting", "waiting_unprivileged"])
def test_the_oldest_wait_at_each_endpoint(name: str) -> None:
    """Neither an accepted connection nor the client's side of one is waiting."""
    recording = recordings.load(name)
    found = waiting.oldest(replayed(recording))
    expected = {
        Endpoint(*packed(str(fact["address"])), int(fact["port"]), 0): float(fact["seconds"])
        for fact in recording.truth
    }
    assert found.keys() == expected.keys()
    for endpoint, seconds in expected.items():
        # Timers of the kernel tick every few milliseconds.
        assert seconds - 0.02 <= found[endpoint] < seconds + 0.1


def test_a_row_is_smaller_for_an_asker_without_privilege() -> None:
    """INET_DIAG_MARK is missing, so no decoder may count on where an attribute stands."""
    assert {len(row) for row in rows("waiting")}.isdisjoint(len(row) for row in rows("waiting_unprivileged"))


def test_a_dump_of_nothing_is_empty_and_no_error() -> None:
    assert rows("empty") == []
