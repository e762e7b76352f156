"""What a dump changed since the one before: nothing where rows are equal, each change once."""

from __future__ import annotations

import socket
import struct
from collections import Counter

import pytest

from exporter.kernel.family import TCP, UNIX, SocketFamily
from exporter.kernel.records import UNCHANGED, Changes, Listener, QueueReading
from exporter.kernel.sock_diag.cached_socket import CachedSocket
from exporter.kernel.sock_diag.comparison import DumpComparison
from exporter.kernel.sock_diag.dump import dump
from exporter.kernel.sock_diag.messages import messages
from exporter.kernel.sock_diag.tcp import TcpRows
from tests.kernel import recordings
from tests.kernel.datagrams import attribute, datagram, inet_row, tcp_row, unix_row
from tests.kernel.fake_interfaces import FakeInterfaces


class CountedRows(TcpRows):
    """Rows of TCP; `calls` counts what was decoded."""

    def __init__(self) -> None:
        self.calls: Counter[str] = Counter()

    def cookie(self, row: bytes) -> int:
        """Count the call."""
        self.calls["cookie"] += 1
        return super().cookie(row)

    def listener(self, row: bytes) -> Listener:
        """Count the call."""
        self.calls["listener"] += 1
        return super().listener(row)

    def reading(self, row: bytes) -> QueueReading:
        """Count the call."""
        self.calls["reading"] += 1
        return super().reading(row)


@pytest.fixture
def counted() -> CountedRows:
    return CountedRows()


@pytest.fixture
def comparison(counted: CountedRows) -> DumpComparison:
    return DumpComparison(counted, FakeInterfaces())


def rows(*cookies: int) -> list[bytes]:
    return [tcp_row(cookie) for cookie in cookies]


def opened(changes: Changes) -> list[int]:
    return [listener.cookie for listener, _ in changes.opened]


def updated(changes: Changes) -> dict[int, int | None]:
    assert len({reading.cookie for reading in changes.updated}) == len(changes.updated)
    return {reading.cookie: reading.length for reading in changes.updated}


def test_the_first_dump_opens_every_listener_with_its_reading(comparison: DumpComparison) -> None:
    changes = comparison.update([tcp_row(1, length=5, drops=7), datagram(rows(2, 3))])
    assert opened(changes) == [1, 2, 3]
    assert changes.opened[0][1] == QueueReading(1, 5, 128, 7)
    assert (changes.updated, changes.closed) == ((), ())
    assert comparison.known == {1, 2, 3}


def test_a_first_dump_of_nothing_is_no_change(comparison: DumpComparison) -> None:
    assert comparison.update([]) is UNCHANGED


@pytest.mark.parametrize(
    ("name", "family"),
    [("tcp_listeners", TCP), ("tcp_listeners_many", TCP), ("unix_listeners", UNIX)],
)
def test_a_recorded_dump_that_comes_again_is_no_change(name: str, family: SocketFamily) -> None:
    datagrams = recordings.load(name).datagrams[:-1]
    comparison = DumpComparison(family.rows, FakeInterfaces())
    assert len(comparison.update(datagrams).opened) == len(comparison.known) > 0
    assert comparison.update(iter(datagrams)) is UNCHANGED


def test_an_unchanged_dump_is_not_decoded(comparison: DumpComparison, counted: CountedRows) -> None:
    dump = [datagram(rows(1, 2)), datagram(rows(3))]
    comparison.update(dump)
    counted.calls.clear()
    for _ in range(3):
        assert comparison.update(list(dump)) is UNCHANGED
    assert counted.calls == {}


def test_of_a_changed_dump_only_the_changed_rows_are_decoded(
    comparison: DumpComparison, counted: CountedRows
) -> None:
    comparison.update([datagram(rows(*range(1, 100))), datagram(rows(*range(100, 200)))])
    counted.calls.clear()
    changed = [tcp_row(cookie, length=cookie == 150) for cookie in range(100, 200)]
    changes = comparison.update([datagram(rows(*range(1, 100))), datagram(changed)])
    assert updated(changes) == {150: 1}
    assert (changes.opened, changes.closed) == ((), ())
    assert counted.calls["reading"] == 1
    assert counted.calls["listener"] == 0


def test_a_drop_alone_is_a_change(comparison: DumpComparison) -> None:
    comparison.update(rows(1, 2))
    assert comparison.update([tcp_row(1), tcp_row(2, drops=1)]).updated == (QueueReading(2, 0, 128, 1),)


def test_rows_that_change_their_position_are_no_change(
    comparison: DumpComparison, counted: CountedRows
) -> None:
    """A listener that opens at the front moves every row after it, across the ends of datagrams."""
    comparison.update([datagram(rows(1, 2, 3)), datagram(rows(4, 5))])
    counted.calls.clear()
    changes = comparison.update([datagram(rows(9, 1, 2)), datagram(rows(3, 4)), datagram(rows(5))])
    assert opened(changes) == [9]
    assert (changes.updated, changes.closed) == ((), ())
    assert counted.calls["reading"] == 1
    assert counted.calls["listener"] == 1


@pytest.mark.parametrize("order", [[5, 4, 3, 2, 1], [2, 3, 4, 5, 1], [1, 5, 3, 4, 2]])
def test_another_order_is_no_change(comparison: DumpComparison, order: list[int]) -> None:
    comparison.update([datagram(rows(1, 2, 3, 4, 5))])
    changes = comparison.update([datagram(rows(*order))])
    assert changes == UNCHANGED


def test_a_row_that_moves_and_changes_is_one_change(comparison: DumpComparison, counted: CountedRows) -> None:
    comparison.update([datagram(rows(1, 2, 3))])
    counted.calls.clear()
    changes = comparison.update([datagram([tcp_row(9), tcp_row(1), tcp_row(2, length=4), tcp_row(3)])])
    assert (opened(changes), updated(changes), changes.closed) == ([9], {2: 4}, ())
    # All behind one that opens may have moved.
    assert counted.calls["listener"] == 1


def test_rows_of_different_lengths_may_move(comparison: DumpComparison) -> None:
    short, long = inet_row(1), tcp_row(2, address="::1")
    comparison.update([datagram([short, long, short])])
    assert comparison.update([datagram([long, short])]) == UNCHANGED
    assert comparison.known == {1, 2}


def test_a_row_that_is_repeated_is_one_listener(comparison: DumpComparison) -> None:
    """When the repetition ends, the same reading may be returned once more."""
    assert opened(comparison.update([datagram(rows(1, 1)), datagram(rows(2, 1))])) == [1, 2]
    changes = comparison.update(rows(1, 2))
    assert (opened(changes), updated(changes), changes.closed) in [([], {}, ()), ([], {1: 0}, ())]
    assert comparison.update(rows(1, 2)) is UNCHANGED


def test_a_row_that_begins_to_be_repeated_changes_nothing(comparison: DumpComparison) -> None:
    comparison.update(rows(1, 2))
    changes = comparison.update(rows(1, 2, 1))
    assert (opened(changes), updated(changes).get(1, 0), changes.closed) == ([], 0, ())


def test_of_a_row_that_is_repeated_with_another_reading_the_last_counts(comparison: DumpComparison) -> None:
    first = comparison.update([tcp_row(1, length=1), tcp_row(1, length=2)])
    assert [reading.length for _, reading in first.opened] == [2]
    again = comparison.update([tcp_row(1, length=3), tcp_row(2), tcp_row(1, length=4)])
    assert updated(again) == {1: 4}


def test_a_repeated_row_that_is_gone_from_one_position_does_not_close_the_listener(
    comparison: DumpComparison,
) -> None:
    comparison.update([tcp_row(1, length=1), tcp_row(2), tcp_row(1, length=2)])
    changes = comparison.update([tcp_row(1, length=1), tcp_row(2)])
    assert (updated(changes), changes.closed) == ({1: 1}, ())
    assert comparison.update([tcp_row(1, length=1), tcp_row(2)]) is UNCHANGED


def test_unix_listeners_are_compared_the_same_way() -> None:
    comparison = DumpComparison(UNIX.rows, FakeInterfaces())
    assert opened(comparison.update([unix_row(1), unix_row(2)])) == [1, 2]
    assert updated(comparison.update([unix_row(1, length=3), unix_row(2)])) == {1: 3}
    assert comparison.update([unix_row(1, length=3)]) == UNCHANGED
    assert comparison.update([unix_row(1, length=3)]).closed == (2,)


@pytest.mark.parametrize("before", [[], [8], [8, 9]], ids=["in its place", "moved", "moved by two"])
@pytest.mark.parametrize("length", [0, 3])
def test_a_socket_that_becomes_another_listener_is_closed_and_opened(
    comparison: DumpComparison, before: list[int], length: int
) -> None:
    comparison.update([datagram([inet_row(1), tcp_row(2)])])
    changed = datagram([*rows(*before), inet_row(1, port=8001, length=length), tcp_row(2)])
    changes = comparison.update([changed])
    assert opened(changes) == [*before, 1]
    assert [listener.port for listener, _ in changes.opened][-1] == "8001"
    assert (changes.updated, changes.closed) == ((), (1,))
    assert comparison.known == {1, 2, *before}
    assert comparison.update([changed]) is UNCHANGED


def test_a_socket_that_one_dump_lacked_may_listen_anew(
    comparison: DumpComparison,
) -> None:
    comparison.update([inet_row(1)])
    assert comparison.update([]) == UNCHANGED
    changes = comparison.update([inet_row(1, port=8001)])
    assert (opened(changes), changes.closed) == ([1], (1,))


def test_a_unix_socket_that_another_user_gets_is_closed_and_opened() -> None:
    """By fchown(2)."""
    comparison = DumpComparison(UNIX.rows, FakeInterfaces())
    comparison.update([unix_row(1, more=attribute(7, struct.pack("=I", 5)))])
    changes = comparison.update([unix_row(1, length=1, more=attribute(7, struct.pack("=I", 6)))])
    assert ([listener.uid for listener, _ in changes.opened], changes.closed) == ([6], (1,))


@pytest.mark.netns
@pytest.mark.parametrize("family", [TCP, UNIX], ids=lambda family: family.protocol)
def test_where_only_the_queue_changes_the_kernels_rows_are_not_decoded(family: SocketFamily) -> None:
    with socket.create_server(("127.0.0.1", 80)) as tcp, socket.socket(socket.AF_UNIX) as unix:
        unix.bind("\0a")
        unix.listen()
        sockets = CachedSocket()
        (old,) = messages(b"".join(dump(family.rows.requests[0], sockets)))
        listening = tcp if family is TCP else unix
        with socket.socket(listening.family) as client:
            client.connect(listening.getsockname())
            (new,) = messages(b"".join(dump(family.rows.requests[0], sockets)))
        assert family.rows.reading(new).length == 1

        class NoListeners(type(family.rows)):  # type: ignore[misc]
            """Rows whose listeners are not to be decoded."""

            def listener(self, row: bytes) -> Listener:
                """Fail."""
                raise AssertionError(row)

        assert NoListeners().same_listener(old, new)
