"""Counting half-open connections by reference counts, which are used only as long as dumps agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from exporter.kernel.errors import KernelError, UnavailableError
from exporter.kernel.fallback import MethodFallback
from exporter.kernel.procfs.refcount import RefCount
from exporter.kernel.procfs.tcp_activity import TcpActivity
from exporter.kernel.records import Endpoint, Listener, Method, QueueReading
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.listeners.matching import Matcher
from exporter.sampling.sources.syn_recv_counter import (
    CALIBRATE_SECONDS,
    DISAGREED_SECONDS,
    REFCOUNT,
    SynRecvCounter,
)
from tests.listeners.sockets import endpoint, tcp
from tests.sampling.fake_clock import FakeClock
from tests.sampling.fake_namespace import FakeSnmp

HERE = endpoint("10.0.0.1")


class FakeRefCounts:
    """The reference counts of the host's listeners."""

    def __init__(self, host: Host) -> None:
        self.cost = 0.0001
        self.reads = 0
        self.readable = True
        self._host = host

    def read(self, _listeners: Mapping[int, int]) -> dict[int, RefCount]:
        """Return them by inode."""
        self.reads += 1
        if not self.readable:
            raise UnavailableError("cannot read net/tcp", "EACCES")
        self._host.clock.spend(self.cost)
        return {inode: RefCount(held, self._host.waiting[inode]) for inode, held in self._host.held.items()}


class Host:
    """Listeners on port 80, whose half-open connections a dump finds and reference counts show."""

    def __init__(self, members: int = 1) -> None:
        self.clock = FakeClock()
        self.fallback = MethodFallback(Method.AUTO)
        self.counts: dict[Endpoint, int] = {}
        self.held = dict.fromkeys(range(101, 101 + members), 1)
        self.waiting = dict.fromkeys(self.held, 0)
        self.dump_cost = 0.02
        self.ref_counts = FakeRefCounts(self)
        self.dumps = 0
        self.segments: int | None = None
        self.fault: KernelError | None = None
        self.after_dump: Callable[[], object] = lambda: None
        self.matcher = self.listening(
            [tcp(cookie + 1, inode=inode) for cookie, inode in enumerate(self.held)]
        )
        self.counter = SynRecvCounter(
            self, self.ref_counts, TcpActivity(FakeSnmp(lambda: self.segments)), self.clock.clock()
        )

    def listening(self, listeners: list[Listener]) -> Matcher:
        """Index these listeners."""
        groups: dict[object, ListenerGroup] = {}
        for listener in listeners:
            key = key_of(listener, "host", "tcp")
            groups.setdefault(key, ListenerGroup(key)).open(listener, QueueReading(listener.cookie, 0, 9, 0))
        return Matcher((listener, groups[key_of(listener, "host", "tcp")]) for listener in listeners)

    def read(self, _now: float) -> dict[Endpoint, int]:
        """Dump all connections."""
        self.clock.spend(self.dump_cost)
        self.dumps += 1
        if self.fault is not None:
            raise self.fault
        found = dict(self.counts)
        self.after_dump()
        return found

    def set_syn_recv(self, count: int, inode: int = 101, own: int = 1) -> None:
        """Make so many half-open connections, with a reference each."""
        self.counts = {HERE: count}
        self.held[inode] = own + count + self.waiting[inode]

    def count(self, now: float) -> int:
        """Count as the sampler does, all groups together."""
        counts, _ = self.counter.count(now, self.matcher)
        return sum(counts.values())


@pytest.fixture
def host() -> Host:
    return dumped_once(Host())


def dumped_once(host: Host) -> Host:
    """Dump once, so that it is known what that costs."""
    host.count(-1.0)
    host.dumps = 0
    return host


def test_references_are_not_read_while_dumps_are_cheap() -> None:
    host = Host()
    host.dump_cost = 0.0005
    for now in range(5):
        host.count(float(now))
    assert host.ref_counts.reads == 0
    host.dump_cost = 0.02
    for now in range(5, 7):
        host.count(float(now))
    assert host.ref_counts.reads > 0


def test_after_one_dump_the_cheaper_method_is_used(host: Host) -> None:
    host.set_syn_recv(3)
    counted = [host.count(0.0)]
    host.set_syn_recv(5)
    counted.append(host.count(0.25))
    assert (counted, host.dumps, host.counter.method) == ([3, 5], 1, REFCOUNT)


def test_references_that_change_are_counted_each_time(host: Host) -> None:
    host.count(0.0)
    counted = []
    for quarter, count in enumerate((5, 5, 2, 0), 1):
        host.set_syn_recv(count)
        counted.append(host.count(quarter / 4))
    assert (counted, host.dumps) == ([5, 5, 2, 0], 1)


def test_unchanged_references_are_counted_anew_after_a_dump_disagreed(host: Host) -> None:
    host.set_syn_recv(3)
    assert [host.count(0.0), host.count(0.25)] == [3, 3]
    host.counts = {HERE: 2}
    counted = [host.count(CALIBRATE_SECONDS), host.count(CALIBRATE_SECONDS + 0.25)]
    assert (counted, host.counter.disagreements) == ([2, 2], 1)


def test_the_same_references_are_counted_anew_for_other_listeners(host: Host) -> None:
    host.held[102], host.waiting[102] = 1, 0
    host.set_syn_recv(3)
    both = [tcp(1, inode=101), tcp(2, "10.0.0.9", inode=102)]
    host.matcher = host.listening(both)
    assert [host.count(0.0), host.count(0.25)] == [3, 3]
    host.matcher = host.listening(both)
    host.counts = {}
    assert (host.count(0.5), host.dumps) == (0, 2)


def test_connections_of_a_listener_that_closed_are_counted_by_dumps_until_they_are_gone(host: Host) -> None:
    host.set_syn_recv(3)
    assert [host.count(0.0), host.count(0.25)] == [3, 3]
    assert (host.counter.method, host.dumps) == (REFCOUNT, 1)
    host.matcher = host.listening([])
    found = [host.counter.count(now, host.matcher)[1] for now in (0.5, 0.75)]
    assert (found, host.dumps) == ([3, 3], 3)
    host.counts = {}
    found = [host.counter.count(now, host.matcher)[1] for now in (1.0, 1.25)]
    assert (found, host.dumps) == ([0, 0], 4)


def test_where_dumps_are_cheaper_they_are_used(host: Host) -> None:
    host.dump_cost, host.ref_counts.cost = 0.0001, 0.02
    counted = [host.count(quarter / 4) for quarter in range(4)]
    assert (counted, host.dumps, host.counter.method) == ([0] * 4, 4, "sock_diag")


def test_connections_that_wait_for_accept_are_not_syn_recv(host: Host) -> None:
    host.count(0.0)
    host.waiting[101] = 4
    host.set_syn_recv(2)
    assert host.count(0.25) == 2


def test_references_are_compared_with_a_dump_now_and_then(host: Host) -> None:
    host.set_syn_recv(3)
    for now in (0.0, CALIBRATE_SECONDS - 0.1, CALIBRATE_SECONDS):
        assert host.count(now) == 3
    assert (host.dumps, host.counter.disagreements) == (2, 0)


def test_own_references_of_a_listener_are_learned(host: Host) -> None:
    """An MPTCP listener has one more than others."""
    host.set_syn_recv(3, own=2)
    assert (host.count(0.0), host.counter.disagreements) == (3, 0)
    host.set_syn_recv(7, own=2)
    assert host.count(0.25) == 7


def test_where_the_two_disagree_dumps_decide(host: Host) -> None:
    host.set_syn_recv(3)
    host.count(0.0)
    host.held[101] += 1
    assert host.count(CALIBRATE_SECONDS) == 3
    assert host.counter.disagreements == 1
    host.counts = {HERE: 9}
    assert host.count(CALIBRATE_SECONDS + DISAGREED_SECONDS) == 9


def test_fewer_references_than_its_own_are_settled_by_a_dump_at_once(host: Host) -> None:
    """A SYN cookie made a connection that waits, and holds no reference."""
    host.set_syn_recv(1)
    host.count(0.0)
    host.waiting[101] = 5
    assert (host.count(0.25), host.dumps) == (1, 2)


def test_a_new_listener_takes_a_dump_at_once(host: Host) -> None:
    host.count(0.0)
    host.held[102] = host.held[101] = 1
    host.waiting[102] = 0
    host.matcher = host.listening([tcp(1, inode=101), tcp(2, "10.0.0.9", inode=102)])
    host.count(0.25)
    assert host.dumps == 2


def test_a_group_adds_up() -> None:
    host = dumped_once(Host(members=4))
    host.set_syn_recv(0)
    host.count(0.0)
    host.held[103] = 6
    host.held[104] = 2
    assert (host.count(0.25), host.dumps) == (6, 1)


def test_a_count_that_changes_during_the_dump_is_no_disagreement(host: Host) -> None:
    host.set_syn_recv(3)
    host.count(0.0)
    host.set_syn_recv(4)
    host.counts = {HERE: 5}
    host.after_dump = lambda: host.held.update({101: 7})
    assert (host.count(CALIBRATE_SECONDS), host.counter.disagreements) == (5, 0)


def test_without_the_files_every_count_is_a_dump(host: Host) -> None:
    host.ref_counts.readable = False
    for quarter in range(3):
        host.set_syn_recv(quarter)
        assert host.count(quarter / 4) == quarter
    assert (host.dumps, host.counter.disagreements) == (3, 0)


def test_with_procfs_nothing_is_compared(host: Host) -> None:
    host.fallback.choose(Method.PROCFS)
    host.set_syn_recv(3)
    assert [host.count(quarter / 4) for quarter in range(3)] == [3] * 3
    assert (host.dumps, host.counter.method) == (3, "procfs")


@pytest.fixture
def dumped() -> Host:
    """Only dumps, and a namespace in which segments are counted."""
    host = Host()
    host.ref_counts.readable = False
    host.segments = 7
    return host


def test_no_dump_while_none_was_found_and_no_segment_has_come(dumped: Host) -> None:
    assert [dumped.count(float(now)) for now in range(10)] == [0] * 10
    assert dumped.dumps == 2


def test_after_a_segment_there_is_a_dump(dumped: Host) -> None:
    for now in range(3):
        dumped.count(float(now))
    dumped.segments = 8
    dumped.set_syn_recv(2)
    assert dumped.count(3.0) == 2
    dumped.set_syn_recv(0)
    dumped.counts = {}
    assert [dumped.count(float(now)) for now in (4, 5, 6)] == [0, 0, 0]
    assert dumped.dumps == 4


def test_there_are_dumps_while_any_was_found(dumped: Host) -> None:
    """They end by their timers, for which no segment has to come."""
    dumped.set_syn_recv(2)
    assert [dumped.count(float(now)) for now in range(4)] == [2] * 4
    assert dumped.dumps == 4


def test_a_segment_during_the_dump_is_not_overlooked(dumped: Host) -> None:
    dumped.count(0.0)

    def late() -> None:
        dumped.segments = 8
        dumped.set_syn_recv(1)

    dumped.after_dump = late
    assert [dumped.count(float(now)) for now in (1, 2)] == [0, 1]


def test_a_dump_that_failed_is_repeated(dumped: Host) -> None:
    for now in range(3):
        dumped.count(float(now))
    dumped.segments = 8
    dumped.fault = KernelError("sock_diag dump", "ENOBUFS")
    for now in (3, 4):
        with pytest.raises(KernelError):
            dumped.count(float(now))
    dumped.fault = None
    dumped.set_syn_recv(3)
    assert dumped.count(5.0) == 3


def test_there_are_dumps_while_rows_fit_no_listener(dumped: Host) -> None:
    dumped.counts = {endpoint("10.9.9.9", 4): 1}
    for now in range(4):
        dumped.count(float(now))
    assert dumped.dumps == 4


def test_after_a_change_to_procfs_references_are_not_used(host: Host) -> None:
    """The fallback finds out during the dump, when the references have been read already."""
    host.set_syn_recv(3)
    host.count(0.0)
    host.fallback.choose(Method.PROCFS)
    assert (host.count(0.25), host.dumps, host.counter.method) == (3, 2, "procfs")
