"""Readers remember the last answer and the way it was got."""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterator

import pytest

from exporter.kernel.errors import KernelError, MalformedReplyError, UnavailableError
from exporter.kernel.fallback import MethodFallback
from exporter.kernel.family import TCP
from exporter.kernel.procfs.listeners import Found
from exporter.kernel.readers import ListenerReader, SynRecvReader
from exporter.kernel.records import UNCHANGED, Endpoint, Listener, Method, QueueReading
from tests.kernel.datagrams import SYN_RECV, inet_row, tcp_row

MINUTE = 60.0
MISSING = UnavailableError("sock_diag dump failed", "ENOENT")
PLACE = Endpoint(socket.AF_INET, socket.inet_aton("127.0.0.1"), 8000, 0)


class Kernel:
    """Listeners by sock_diag's cookies and by the inodes of /proc, and half-open connections."""

    def __init__(self) -> None:
        self.fault: KernelError | None = None
        self.cookies: list[int] = []
        self.inodes: list[int] = []
        self.syn_recv = 0

    def dump(self) -> Iterator[bytes]:
        """The listeners by their cookies."""
        if self.fault is not None:
            raise self.fault
        yield from map(tcp_row, self.cookies)

    def read_proc(self) -> list[Found]:
        """The listeners by their inodes."""
        return [
            (Listener(inode, inode, endpoint=PLACE), QueueReading(inode, 0, None, None))
            for inode in self.inodes
        ]

    def walk(self) -> Generator[bytes, None, None]:
        """The half-open connections, one row each."""
        if self.fault is not None:
            raise self.fault
        yield from (inet_row(cookie, state=SYN_RECV) for cookie in range(self.syn_recv))

    def walk_proc(self) -> dict[Endpoint, int]:
        """The half-open connections, counted."""
        return {PLACE: self.syn_recv} if self.syn_recv else {}

    def listeners(self, method: Method) -> ListenerReader:
        """A reader of the listeners."""
        return ListenerReader(TCP.rows, self.dump, self.read_proc, MethodFallback(method))

    def connections(self, method: Method) -> SynRecvReader:
        """A reader of the half-open connections."""
        return SynRecvReader(self.walk, self.walk_proc, MethodFallback(method))


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
    reader.fallback.choose(Method.PROCFS)
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
def test_syn_recv_connections_are_counted_either_way(kernel: Kernel, method: Method) -> None:
    kernel.syn_recv = 5
    assert kernel.connections(method).read(0.0) == {PLACE: 5}


def test_syn_recv_connections_are_read_from_proc_where_sock_diag_is_missing(kernel: Kernel) -> None:
    kernel.fault, kernel.syn_recv = MISSING, 4
    reader = kernel.connections(Method.AUTO)
    assert reader.read(0.0) == {PLACE: 4}
    assert reader.fallback.method is Method.PROCFS
