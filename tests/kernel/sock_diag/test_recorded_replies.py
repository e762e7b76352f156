"""Recorded replies are decoded to the sockets that had been made."""

from __future__ import annotations

import socket
from collections.abc import Iterable

import pytest

from exporter.kernel.family import TCP, UNIX
from exporter.kernel.records import Endpoint, FileId, Listener, QueueReading
from exporter.kernel.sock_diag import accept_wait, messages, mptcp, syn_recv
from exporter.kernel.sock_diag.comparison import DumpComparison
from exporter.kernel.sock_diag.dump import dump
from exporter.kernel.text import unix_address
from tests.kernel import recordings
from tests.kernel.fake_interfaces import FakeInterfaces
from tests.kernel.fake_kernel import FakeKernel
from tests.kernel.recorded_cases import CASES, LINK_LOCAL, MANY, Fact
from tests.kernel.recordings import Recording

LOOPBACK = 1


def replayed(recording: Recording) -> list[bytes]:
    kernel = FakeKernel(*recording.datagrams)
    return list(dump(recording.request, kernel))


def rows(name: str) -> list[bytes]:
    return [row for datagram in replayed(recordings.load(name)) for row in messages.messages(datagram)]


def of_every_kernel(*cases: str) -> pytest.MarkDecorator:
    """Run a test with the recordings of these cases."""
    return pytest.mark.parametrize("name", [name for case in cases for name in recordings.of_case(case)])


def packed(address: str) -> tuple[int, bytes]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return family, socket.inet_pton(family, address)


def facts_of(found: Iterable[tuple[Listener, QueueReading]]) -> list[Fact]:
    """Return what the recording tells of listeners, by port."""
    facts: list[Fact] = []
    for listener, reading in found:
        assert listener.endpoint is not None
        assert listener.v6only is not None
        assert reading.length is not None
        assert reading.limit is not None
        assert reading.drops is not None
        facts.append(
            {
                "v6only": listener.v6only,
                "device": listener.address.partition("%")[2],
                "length": reading.length,
                "drops": reading.drops,
                "address": listener.address.partition("%")[0],
                "port": int(listener.port),
                "limit": reading.limit,
            }
        )
    return sorted(facts, key=lambda fact: fact["port"])


@pytest.mark.parametrize("name", recordings.names())
def test_a_recording_is_a_reply_to_the_request_as_it_is_encoded_now(name: str) -> None:
    """When a request changes, its reply has to be recorded anew."""
    assert recordings.load(name).request == CASES[recordings.case_of(name)].request


def test_there_is_a_recording_of_each_case_and_no_other() -> None:
    """Of those that were made in a virtual machine some may be missing, since its kernel has no MPTCP."""
    assert {name for name in recordings.names() if "/" not in name} == set(CASES)
    assert {recordings.case_of(name) for name in recordings.names()} == set(CASES)


@of_every_kernel("tcp_listeners")
def test_tcp_listeners_of_every_kind(name: str) -> None:
    comparison = DumpComparison(TCP.rows, FakeInterfaces({LOOPBACK: "lo"}))
    found = comparison.update(replayed(recordings.load(name))).opened
    assert facts_of(found) == recordings.load(name).truth


@of_every_kernel("tcp_listeners")
def test_tcp_listeners_have_what_belongs_to_every_socket(name: str) -> None:
    found = [TCP.rows.listener(row) for row in rows(name)]
    assert {listener.uid for listener in found} == {0}
    assert all(listener.endpoint and listener.port == str(listener.endpoint.port) for listener in found)
    assert len({listener.cookie for listener in found}) == len({listener.inode for listener in found})
    assert len({listener.cookie for listener in found}) == len(found)
    assert all(listener.inode for listener in found)
    # They were made in the root of the tree of cgroups.
    assert {listener.cgroup_id for listener in found} == {1}


@of_every_kernel("tcp_listeners")
def test_only_a_listener_bound_to_a_device_has_an_interface(name: str) -> None:
    found = [TCP.rows.listener(row) for row in rows(name)]
    bound = [listener.endpoint for listener in found if listener.endpoint and listener.endpoint.interface]
    assert {(endpoint.address, endpoint.port) for endpoint in bound} == {
        (packed(LINK_LOCAL)[1], 8005),
        (bytes(4), 8006),
    }


@of_every_kernel("tcp_listeners", "unix_listeners")
def test_a_reading_repeats_the_cookie_of_its_listener(name: str) -> None:
    kind = (UNIX if name.endswith("unix_listeners") else TCP).rows
    for row in rows(name):
        assert kind.cookie(row) == kind.reading(row).cookie == kind.listener(row).cookie


@of_every_kernel("tcp_listeners_many")
def test_listeners_of_many_datagrams(name: str) -> None:
    recording = recordings.load(name)
    datagrams = replayed(recording)
    assert len(datagrams) > 2
    found = [row for datagram in datagrams for row in messages.messages(datagram)]
    limits = {}
    for row in found:
        endpoint = TCP.rows.listener(row).endpoint
        assert endpoint is not None
        limits[endpoint.port] = TCP.rows.reading(row).limit
    assert limits == {8000 + number: 1 + number for number in range(MANY)}
    assert len(found) == MANY


@of_every_kernel("tcp_listeners_many", "syn_recv")
def test_rows_of_one_family_have_one_size(name: str) -> None:
    """The comparison of datagrams and the counting of half-open connections in C rely on it."""
    sizes = {(row[16], len(row)) for row in rows(name)}
    assert len(sizes) == len({family for family, _ in sizes})


@of_every_kernel("mptcp_listeners")
def test_an_mptcp_listener_is_in_both_dumps_under_one_inode_each(name: str) -> None:
    recording = recordings.load(name)
    (row,) = rows(name)
    (fact,) = recording.truth
    listener = TCP.rows.listener(row)
    assert listener.endpoint == Endpoint(*packed(str(fact["address"])), int(fact["port"]), 0)
    assert list(mptcp.inodes(replayed(recording))) == [listener.inode]
    assert listener.inode


@of_every_kernel("unix_listeners")
def test_unix_listeners_of_every_kind(name: str) -> None:
    found = [(UNIX.rows.listener(row), UNIX.rows.reading(row)) for row in rows(name)]
    facts = [
        {
            "address": listener.address,
            "length": reading.length,
            "limit": reading.limit,
            "file": listener.bound_to.inode if isinstance(listener.bound_to, FileId) else 0,
        }
        for listener, reading in found
    ]
    expected = [
        {
            "address": unix_address(bytes.fromhex(str(fact["name"]))),
            "length": fact["length"],
            "limit": fact["limit"],
            "file": fact["file"],
        }
        for fact in recordings.load(name).truth
    ]
    assert sorted(facts, key=str) == sorted(expected, key=str)
    assert {listener.port for listener, _ in found} == {""}
    assert {listener.uid for listener, _ in found} == {0}
    assert {reading.drops for _, reading in found} == {None}


@of_every_kernel("unix_listeners")
def test_unix_listeners_have_a_path_or_the_bytes_of_another_name(name: str) -> None:
    """All files were on one file system. Two names may have one address, and are told apart."""
    truth = [bytes.fromhex(str(fact["name"])) for fact in recordings.load(name).truth]
    found = [UNIX.rows.listener(row) for row in rows(name)]
    paths = [listener for listener in found if isinstance(listener.bound_to, FileId)]
    assert sorted(listener.path for listener in paths) == sorted(
        name for name in truth if not name.startswith(b"\0")
    )
    assert len({listener.bound_to.device for listener in paths if isinstance(listener.bound_to, FileId)}) == 1
    assert {listener.bound_to for listener in found if not listener.path} == {
        name for name in truth if name.startswith(b"\0")
    }


@of_every_kernel("syn_recv")
def test_syn_recv_connections_at_each_endpoint(name: str) -> None:
    recording = recordings.load(name)
    expected = {
        Endpoint(*packed(str(fact["address"])), int(fact["port"]), 0): fact["count"]
        for fact in recording.truth
    }
    assert syn_recv.count(replayed(recording)) == expected


@of_every_kernel("waiting", "waiting_unprivileged")
def test_the_oldest_wait_at_each_endpoint(name: str) -> None:
    """Neither an accepted connection nor the client's side of one is waiting."""
    recording = recordings.load(name)
    found: dict[Endpoint, float] = {}
    for connection in accept_wait.waiting(replayed(recording)):
        found[connection.local] = max(connection.seconds, found.get(connection.local, 0.0))
    expected = {
        Endpoint(*packed(str(fact["address"])), int(fact["port"]), 0): float(fact["seconds"])
        for fact in recording.truth
    }
    assert found.keys() == expected.keys()
    for endpoint, seconds in expected.items():
        # Timers of the kernel tick every few milliseconds, and an emulated machine asks late.
        assert seconds - 0.02 <= found[endpoint] < seconds + 0.3


@of_every_kernel("waiting")
def test_a_row_is_smaller_without_privilege(name: str) -> None:
    """INET_DIAG_MARK is missing, so no decoder may rely on the position of an attribute."""
    smaller = {len(row) for row in rows(f"{name}_unprivileged")}
    assert {len(row) for row in rows(name)}.isdisjoint(smaller)


@of_every_kernel("empty")
def test_a_dump_of_nothing_is_empty_and_no_error(name: str) -> None:
    assert rows(name) == []
