"""Readers remember the last answer and the way it was got, and skip a walk that can find nothing."""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator

import pytest

from exporter.kernel.errors import KernelError, MalformedReplyError, UnavailableError
from exporter.kernel.ladder import Ladder
from exporter.kernel.procfs import Found
from exporter.kernel.readers import HalfOpenReader, ListenerReader
from exporter.kernel.records import UNCHANGED, Endpoint, Listener, Method, Protocol, Reading
from exporter.kernel.watch import TCP
from tests.kernel.datagrams import SYN_RECV, inet_row, tcp_row

MINUTE = 60.0
MISSING = UnavailableError("sock_diag dump failed", "ENOENT")
PLACE = Endpoint(socket.AF_INET, socket.inet_aton("127.0.0.1"), 8000, 0)


class Kernel:
    """Listeners by sock_diag's cookies and by the inodes of /proc, half-open connections, InSegs."""

    def __init__(self) -> None:
        self.fault: KernelError | None = None
        self.cookies: list[int] = []
        self.inodes: list[int] = []
        self.half_open = 0
        self.segments: int | None = 0
        self.walks = 0

    def dump(self) -> Iterator[bytes]:
        """The listeners by their cookies."""
        if self.fault is not None:
            raise self.fault
        yield from map(tcp_row, self.cookies)

    def read_proc(self) -> list[Found]:
        """The listeners by their inodes."""
        return [
            (Listener(inode, inode, Protocol.TCP, endpoint=PLACE), Reading(inode, 0, None, None))
            for inode in self.inodes
        ]

    def walk(self) -> Generator[bytes, None, None]:
        """The half-open connections, one row each."""
        self.walks += 1
        if self.fault is not None:
            raise self.fault
        yield from (inet_row(cookie, state=SYN_RECV) for cookie in range(self.half_open))

    def walk_proc(self) -> dict[Endpoint, int]:
        """The half-open connections, counted."""
        self.walks += 1
        return {PLACE: self.half_open} if self.half_open else {}

    def count_segments(self) -> int | None:
        """InSegs."""
        return self.segments

    def listeners(self, method: Method) -> ListenerReader:
        """A reader of the listeners."""
        return ListenerReader(TCP, self.dump, self.read_proc, Ladder(method))

    def connections(self, method: Method) -> HalfOpenReader:
        """A reader of the half-open connections."""
        return HalfOpenReader(self.walk, self.walk_proc, self.count_segments, Ladder(method))


@pytest.fixture
def kernel() -> Kernel:
    return Kernel()


def opened(reader: ListenerReader, now: float) -> tuple[set[int], set[int]]:
    """The numbers of what opened and of what closed."""
    changes = reader.read(now)
    return {listener.cookie for listener, _ in changes.opened}, set(changes.closed)


def test_listeners_are_read_by_sock_diag_where_it_is_there(kernel: Kernel) -> None:
    kernel.cookies, kernel.inodes = [1, 2], [11, 12]
    reader = kernel.listeners(Method.AUTO)
    assert opened(reader, 0.0) == ({1, 2}, set())
    assert reader.read(0.1) is UNCHANGED


def test_the_way_down_closes_what_sock_diag_had_found(kernel: Kernel) -> None:
    """The two ways know a socket by different numbers."""
    kernel.cookies, kernel.inodes = [1, 2], [11, 12]
    reader = kernel.listeners(Method.AUTO)
    reader.read(0.0)
    kernel.fault = MISSING
    assert opened(reader, 0.1) == ({11, 12}, {1, 2})
    assert reader.read(0.2) is UNCHANGED


def test_the_way_up_closes_what_proc_had_found(kernel: Kernel) -> None:
    kernel.cookies, kernel.inodes = [1, 2], [11, 12]
    kernel.fault = MISSING
    reader = kernel.listeners(Method.AUTO)
    assert opened(reader, 0.0) == ({11, 12}, set())
    kernel.fault = None
    assert opened(reader, MINUTE) == ({1, 2}, {11, 12})
    assert reader.read(MINUTE + 0.1) is UNCHANGED


def test_down_and_up_again_every_listener_is_open_once(kernel: Kernel) -> None:
    kernel.cookies, kernel.inodes = [1, 2], [11, 12]
    reader = kernel.listeners(Method.AUTO)
    present: set[int] = set()
    for step in range(6):
        kernel.fault = MISSING if step % 2 else None
        came, left = opened(reader, step * MINUTE)
        assert left <= present
        assert not came & (present - left)
        present = present - left | came
        assert present == ({11, 12} if step % 2 else {1, 2})


def test_a_listener_in_its_grace_is_closed_with_the_others(kernel: Kernel) -> None:
    kernel.cookies, kernel.inodes = [1, 2], [11]
    reader = kernel.listeners(Method.AUTO)
    reader.read(0.0)
    kernel.cookies = [1]
    reader.read(0.1)
    kernel.fault = MISSING
    assert opened(reader, 0.2) == ({11}, {1, 2})


def test_another_setting_changes_the_way_and_loses_no_listener(kernel: Kernel) -> None:
    kernel.cookies, kernel.inodes = [1], [11]
    reader = kernel.listeners(Method.AUTO)
    reader.read(0.0)
    reader.ladder.choose(Method.PROCFS)
    assert opened(reader, 0.1) == ({11}, {1})


def test_forced_to_sock_diag_its_absence_is_raised_and_nothing_is_closed(kernel: Kernel) -> None:
    kernel.cookies = [1]
    reader = kernel.listeners(Method.SOCK_DIAG)
    reader.read(0.0)
    kernel.fault = MISSING
    for now in (0.1, MINUTE):
        with pytest.raises(UnavailableError):
            reader.read(now)
    kernel.fault = None
    assert reader.read(MINUTE + 1) is UNCHANGED


def test_a_fault_that_passes_loses_nothing(kernel: Kernel) -> None:
    kernel.cookies = [1]
    reader = kernel.listeners(Method.AUTO)
    reader.read(0.0)
    kernel.fault = MalformedReplyError("short row")
    with pytest.raises(MalformedReplyError):
        reader.read(0.1)
    kernel.fault = None
    assert reader.read(0.2) is UNCHANGED


@pytest.mark.parametrize("method", [Method.AUTO, Method.PROCFS])
def test_half_open_connections_are_counted_either_way(kernel: Kernel, method: Method) -> None:
    kernel.half_open = 5
    assert kernel.connections(method).read(0.0) == {PLACE: 5}


def test_no_walk_while_none_was_found_and_no_segment_has_come(kernel: Kernel) -> None:
    reader = kernel.connections(Method.AUTO)
    for now in range(10):
        assert reader.read(float(now)) == {}
    assert kernel.walks == 1


def test_a_segment_opens_the_gate_for_one_walk(kernel: Kernel) -> None:
    reader = kernel.connections(Method.AUTO)
    reader.read(0.0)
    kernel.segments, kernel.half_open = 1, 2
    assert reader.read(0.1) == {PLACE: 2}
    kernel.half_open = 0
    assert reader.read(0.2) == {}
    assert kernel.walks == 3
    assert reader.read(0.3) == {}
    assert kernel.walks == 3


def test_the_gate_stays_open_while_there_are_any(kernel: Kernel) -> None:
    """They end by their timers, for which no segment has to come."""
    kernel.half_open = 2
    reader = kernel.connections(Method.AUTO)
    for walks in (1, 2, 3):
        assert reader.read(0.1 * walks) == {PLACE: 2}
        assert kernel.walks == walks


def test_a_segment_during_the_walk_is_not_overlooked(kernel: Kernel) -> None:
    """The gate is read before the walk, so one that comes in meanwhile makes the next walk."""
    reader = HalfOpenReader(
        lambda: late(kernel), kernel.walk_proc, kernel.count_segments, Ladder(Method.SOCK_DIAG)
    )
    assert reader.read(0.0) == {}
    assert reader.read(0.1) == {PLACE: 1}


def late(kernel: Kernel) -> Generator[bytes, None, None]:
    yield from list(kernel.walk())
    kernel.segments = (kernel.segments or 0) + 1
    kernel.half_open = 1


def test_without_the_counter_every_read_is_a_walk(kernel: Kernel) -> None:
    kernel.segments = None
    reader = kernel.connections(Method.AUTO)
    for walks in (1, 2, 3):
        assert reader.read(float(walks)) == {}
        assert kernel.walks == walks


def test_a_walk_that_failed_has_found_nothing_out(kernel: Kernel) -> None:
    reader = kernel.connections(Method.SOCK_DIAG)
    kernel.fault = KernelError("sock_diag dump", "ENOBUFS")
    for walks in (1, 2):
        with pytest.raises(KernelError):
            reader.read(float(walks))
        assert kernel.walks == walks
    kernel.fault, kernel.half_open = None, 3
    assert reader.read(3.0) == {PLACE: 3}


def test_half_open_connections_are_read_from_proc_where_sock_diag_is_missing(kernel: Kernel) -> None:
    kernel.fault, kernel.half_open = MISSING, 4
    reader = kernel.connections(Method.AUTO)
    assert reader.read(0.0) == {PLACE: 4}
    assert reader.ladder.method is Method.PROCFS


def test_where_the_gate_may_not_be_read_every_read_is_a_walk(
    kernel: Kernel, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_self: Kernel) -> int | None:
        raise UnavailableError("cannot read net/snmp", "EACCES")

    monkeypatch.setattr(Kernel, "count_segments", refuse)
    reader = kernel.connections(Method.SOCK_DIAG)
    assert [reader.read(float(now)) for now in (1, 2)] == [{}, {}]
    assert kernel.walks == 2
