"""Waits for accept: which connections wait, and for how long."""

from __future__ import annotations

import socket
import struct

import pytest

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.netns.namespace import own_namespace
from exporter.kernel.sock_diag import accept_wait, socket_filter
from testbed.waiting import equals, until
from tests.kernel.datagrams import ESTABLISHED, LISTEN, attribute, datagram, inet_row, message, tcp_info
from tests.kernel.diag_request import decoded

INFO, TOS = 2, 5
CLOSE_WAIT = 8


@pytest.mark.parametrize("size", [0, 4, 44, 47])
def test_a_row_without_the_time_is_malformed(size: int) -> None:
    short = inet_row(1, state=ESTABLISHED, inode=0, attributes=attribute(INFO, bytes(size)))
    with pytest.raises(MalformedReplyError):
        list(accept_wait.waiting([short]))


@pytest.mark.parametrize("attributes", [b"", tcp_info(1)[:40]])
def test_a_row_without_tcp_info_is_malformed(attributes: bytes) -> None:
    row = inet_row(1, state=ESTABLISHED, inode=0, attributes=attributes)
    with pytest.raises(MalformedReplyError):
        list(accept_wait.waiting([row]))


@pytest.mark.parametrize("more", [b"", attribute(TOS, b"\x10")])
def test_the_time_is_found_in_the_tcp_info_of_an_old_kernel(more: bytes) -> None:
    old = more + attribute(INFO, tcp_info(1500)[4:52]) + more
    row = inet_row(1, state=ESTABLISHED, inode=0, attributes=old)
    assert [connection.seconds for connection in accept_wait.waiting([row])] == [1.5]


@pytest.mark.parametrize("cgroups", [0, socket_filter.MAX_CGROUPS + 1, 4096])
def test_without_a_cgroup_or_with_very_many_there_is_no_filter(cgroups: int) -> None:
    request = decoded(accept_wait.request_in_cgroups(range(cgroups)))
    assert request.program == b""
    assert request.states == decoded(accept_wait.request_at_ports({80})).states


def accepted(cookie: int, *, address: str = "127.0.0.1") -> bytes:
    return inet_row(cookie, address=address, state=ESTABLISHED, attributes=tcp_info(5))


def waits(cookie: int, *, address: str = "127.0.0.1", state: int = ESTABLISHED) -> bytes:
    return inet_row(cookie, address=address, state=state, inode=0, attributes=tcp_info(5))


@pytest.mark.parametrize("more", [b"", tcp_info(1) + attribute(TOS, b"\x10")], ids=["one size", "several"])
def test_only_connections_without_a_file_wait(more: bytes) -> None:
    """Of rows of one size, and of others among which one is longer."""
    longer = [inet_row(9, state=ESTABLISHED, attributes=more)] if more else []
    rows = [accepted(1), waits(2), *longer, accepted(3, address="::1"), waits(4, address="::1")]
    found = accept_wait.waiting([datagram(rows), datagram([waits(5, state=CLOSE_WAIT), accepted(6)])])
    assert [connection.cookie for connection in found] == [2, 4, 5]


def test_of_connections_that_are_known_only_the_age_is_returned() -> None:
    """Also where rows of one length have it in different places, and where lengths differ."""
    tos = attribute(TOS, b"\x10")
    rows = [
        inet_row(cookie, state=ESTABLISHED, inode=inode, attributes=attributes)
        for cookie, inode, attributes in (
            (1, 0, tcp_info(1000) + tos),
            (2, 0, tcp_info(2000) + tos),
            (3, 0, tos + tcp_info(3000)),
            (4, 9, tos + tcp_info(4000)),
            (5, 0, tcp_info(5000)),
            (6, 0, tos + tcp_info(6000)),
        )
    ]
    parts = [datagram(rows[:3]), datagram(rows[3:])]
    found, still = accept_wait.waiting_beside(parts, {1, 2, 3, 4, 5, 77})
    assert still == {1: 1.0, 2: 2.0, 3: 3.0, 5: 5.0}
    assert [(connection.cookie, connection.seconds) for connection in found] == [(6, 6.0)]
    assert accept_wait.waiting_beside(parts, ()).found == list(accept_wait.waiting(parts))
    with pytest.raises(MalformedReplyError):
        accept_wait.waiting_beside([inet_row(1, state=ESTABLISHED, inode=0, attributes=tos)], {1})


@pytest.mark.parametrize("state", [4, 5, 6, 7, 9, 11])
def test_a_connection_that_was_closed_during_the_dump_waits_no_more(state: int) -> None:
    rows = datagram([waits(1), waits(2, state=state), accepted(3)])
    assert [each.cookie for each in accept_wait.waiting([rows])] == [1]
    assert accept_wait.waiting_beside([rows], {1, 2}).still.keys() == {1}


@pytest.mark.parametrize("wrong", [inet_row(2, state=LISTEN, attributes=tcp_info(5)), message(bytes(72))])
def test_a_row_that_was_not_asked_for_is_malformed(wrong: bytes) -> None:
    """In another state or of another family, though it has a file."""
    same = wrong.ljust(len(accepted(1)), b"\0")
    same = struct.pack("=I", len(same)) + same[4:]
    for rows in ([accepted(1), same], [accepted(1), wrong, waits(3)]):
        with pytest.raises(MalformedReplyError):
            list(accept_wait.waiting([datagram(rows)]))


@pytest.mark.netns
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_kernel_finds_one_connection_again_until_it_is_accepted(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with (
        socket.create_server((address, 8000), family=family) as server,
        socket.create_connection((address, 8000)) as first,
        socket.create_connection((address, 8000)),
    ):
        namespace = own_namespace()
        both = namespace.waiting_at({8000}).found
        older, younger = sorted(both, key=lambda each: each.peer_port != first.getsockname()[1])
        assert {each.cookie for each in namespace.waiting_in(())} == {older.cookie, younger.cookie}
        found = namespace.still_waiting(older)
        assert found is not None
        assert found == older._replace(seconds=found.seconds)
        assert found.seconds >= older.seconds
        assert namespace.still_waiting(older._replace(cookie=younger.cookie)) is None
        assert namespace.still_waiting(older._replace(peer_port=1)) is None
        with server.accept()[0]:
            assert namespace.still_waiting(older) is None
            assert namespace.still_waiting(younger) is not None
        first.close()
        assert namespace.still_waiting(older) is None


@pytest.mark.netns
def test_a_client_that_closes_leaves_its_connection_waiting_and_one_that_resets_does_not() -> None:
    with socket.create_server(("127.0.0.1", 8000)):
        namespace = own_namespace()
        closed, reset = (socket.create_connection(("127.0.0.1", 8000)) for _ in range(2))
        by_peer = {each.peer_port: each for each in namespace.waiting_at({8000}).found}
        of_closed, of_reset = (by_peer[client.getsockname()[1]] for client in (closed, reset))
        closed.close()
        reset.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        reset.close()
        until(lambda: namespace.still_waiting(of_reset), equals(None))
        assert namespace.still_waiting(of_closed) is not None
        assert [each.cookie for each in namespace.waiting_in(())] == [of_closed.cookie]
