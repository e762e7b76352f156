"""Counting half-open connections by references: believed only as long as walks agree."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import cast

import pytest

from exporter.kernel.errors import KernelError, UnavailableError
from exporter.kernel.fallback import MethodFallback
from exporter.kernel.procfs.refcount import RefCount
from exporter.kernel.procfs.tcp_activity import TcpActivity
from exporter.kernel.readers import SynRecvReader
from exporter.kernel.records import Endpoint, Listener, Method, QueueReading
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.listeners.matching import Matcher
from exporter.sampling.syn_recv_counter import CALIBRATE_SECONDS, DISAGREED_SECONDS, REFCOUNT, SynRecvCounter
from tests.listeners.sockets import endpoint, tcp
from tests.sampling.fake_clock import Clockwork

HERE = endpoint("10.0.0.1")


class Host:
    """Listeners on port 80, whose half-open connections can be walked to and have references."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, members: int = 1) -> None:
        self.clock = Clockwork()
        self.clock.install(monkeypatch, "exporter.sampling.syn_recv_counter")
        self.fallback = MethodFallback(Method.AUTO)
        self.counts: dict[Endpoint, int] = {}
        self.held = dict.fromkeys(range(101, 101 + members), 1)
        self.waiting = dict.fromkeys(self.held, 0)
        self.walk_cost, self.reference_cost = 0.02, 0.0001
        self.walks = 0
        self.reads = 0
        self.segments: int | None = None
        self.fault: KernelError | None = None
        self.after_walk: Callable[[], object] = lambda: None
        self.readable = True
        self.matcher = self.listening(
            [tcp(cookie + 1, inode=inode) for cookie, inode in enumerate(self.held)]
        )
        self.counter = SynRecvCounter(
            cast("SynRecvReader", self), self.ref_counts, TcpActivity(lambda: self.segments)
        )

    def listening(self, listeners: list[Listener]) -> Matcher:
        """Index these."""
        groups: dict[object, ListenerGroup] = {}
        for listener in listeners:
            key = key_of(listener, "host")
            groups.setdefault(key, ListenerGroup(key)).open(listener, QueueReading(listener.cookie, 0, 9, 0))
        return Matcher((listener, groups[key_of(listener, "host")]) for listener in listeners)

    def read(self, _now: float) -> dict[Endpoint, int]:
        """Be walked to."""
        self.clock.spend(self.walk_cost)
        self.walks += 1
        if self.fault is not None:
            raise self.fault
        found = dict(self.counts)
        self.after_walk()
        return found

    def ref_counts(self, _listeners: Mapping[int, int]) -> dict[int, RefCount]:
        """Tell the references of every listener."""
        self.reads += 1
        if not self.readable:
            raise UnavailableError("cannot read net/tcp", "EACCES")
        self.clock.spend(self.reference_cost)
        return {inode: RefCount(held, self.waiting[inode]) for inode, held in self.held.items()}

    def syn_recv(self, count: int, inode: int = 101, own: int = 1) -> None:
        """Let there be so many, with a reference each."""
        self.counts = {HERE: count}
        self.held[inode] = own + count + self.waiting[inode]

    def count(self, now: float) -> int:
        """Count as the sampler does, all groups together."""
        counts, _ = self.counter.count(now, self.matcher)
        return sum(counts.values())


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return walked_once(Host(monkeypatch))


def walked_once(host: Host) -> Host:
    """What a walk costs is known."""
    host.count(-1.0)
    host.walks = 0
    return host


def test_references_are_not_read_before_a_walk_was_seen_to_cost_something(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    host = Host(monkeypatch)
    host.walk_cost = 0.0005
    for now in range(5):
        host.count(float(now))
    assert host.reads == 0
    host.walk_cost = 0.02
    for now in range(5, 7):
        host.count(float(now))
    assert host.reads > 0


def test_after_one_walk_the_cheaper_way_is_taken(host: Host) -> None:
    host.syn_recv(3)
    counted = [host.count(0.0)]
    host.syn_recv(5)
    counted.append(host.count(0.25))
    assert (counted, host.walks, host.counter.method) == ([3, 5], 1, REFCOUNT)


def test_references_that_move_are_counted_each_time(host: Host) -> None:
    host.count(0.0)
    counted = []
    for beat, count in enumerate((5, 5, 2, 0), 1):
        host.syn_recv(count)
        counted.append(host.count(beat / 4))
    assert (counted, host.walks) == ([5, 5, 2, 0], 1)


def test_references_that_stand_still_are_counted_anew_after_a_walk_disagreed(host: Host) -> None:
    host.syn_recv(3)
    assert [host.count(0.0), host.count(0.25)] == [3, 3]
    host.counts = {HERE: 2}
    counted = [host.count(CALIBRATE_SECONDS), host.count(CALIBRATE_SECONDS + 0.25)]
    assert (counted, host.counter.disagreements) == ([2, 2], 1)


def test_the_same_references_are_counted_anew_for_other_listeners(host: Host) -> None:
    host.held[102], host.waiting[102] = 1, 0
    host.syn_recv(3)
    both = [tcp(1, inode=101), tcp(2, "10.0.0.9", inode=102)]
    host.matcher = host.listening(both)
    assert [host.count(0.0), host.count(0.25)] == [3, 3]
    host.matcher = host.listening(both)
    host.counts = {}
    assert (host.count(0.5), host.walks) == (0, 2)


def test_where_walks_are_cheaper_they_are_taken(host: Host) -> None:
    host.walk_cost, host.reference_cost = 0.0001, 0.02
    counted = [host.count(beat / 4) for beat in range(4)]
    assert (counted, host.walks, host.counter.method) == ([0] * 4, 4, "sock_diag")


def test_connections_that_wait_for_accept_are_not_syn_recv(host: Host) -> None:
    host.count(0.0)
    host.waiting[101] = 4
    host.syn_recv(2)
    assert host.count(0.25) == 2


def test_a_walk_looks_after_the_references_now_and_then(host: Host) -> None:
    host.syn_recv(3)
    for now in (0.0, CALIBRATE_SECONDS - 0.1, CALIBRATE_SECONDS):
        assert host.count(now) == 3
    assert (host.walks, host.counter.disagreements) == (2, 0)


def test_references_of_its_own_are_learned(host: Host) -> None:
    """An MPTCP listener has one more than others."""
    host.syn_recv(3, own=2)
    assert (host.count(0.0), host.counter.disagreements) == (3, 0)
    host.syn_recv(7, own=2)
    assert host.count(0.25) == 7


def test_where_the_two_disagree_walks_decide(host: Host) -> None:
    host.syn_recv(3)
    host.count(0.0)
    host.held[101] += 1
    assert host.count(CALIBRATE_SECONDS) == 3
    assert host.counter.disagreements == 1
    host.counts = {HERE: 9}
    assert host.count(CALIBRATE_SECONDS + DISAGREED_SECONDS) == 9


def test_fewer_references_than_its_own_are_settled_by_a_walk_at_once(host: Host) -> None:
    """A SYN cookie made a connection that waits, and holds no reference."""
    host.syn_recv(1)
    host.count(0.0)
    host.waiting[101] = 5
    assert (host.count(0.25), host.walks) == (1, 2)


def test_a_new_listener_is_walked_to_at_once(host: Host) -> None:
    host.count(0.0)
    host.held[102] = host.held[101] = 1
    host.waiting[102] = 0
    host.matcher = host.listening([tcp(1, inode=101), tcp(2, "10.0.0.9", inode=102)])
    host.count(0.25)
    assert host.walks == 2


def test_a_group_adds_up(monkeypatch: pytest.MonkeyPatch) -> None:
    host = walked_once(Host(monkeypatch, members=4))
    host.syn_recv(0)
    host.count(0.0)
    host.held[103] = 6
    host.held[104] = 2
    assert (host.count(0.25), host.walks) == (6, 1)


def test_a_count_that_moves_during_the_walk_is_no_disagreement(host: Host) -> None:
    host.syn_recv(3)
    host.count(0.0)
    moving = iter((4, 6))
    still = host.ref_counts

    def ref_counts(listeners: Mapping[int, int]) -> dict[int, RefCount]:
        found = still(listeners)
        return {inode: RefCount(1 + next(moving), 0) for inode in found}

    host.counter._ref_counts = ref_counts  # noqa: SLF001 # only here does it change half-way
    host.counts = {HERE: 5}
    assert (host.count(CALIBRATE_SECONDS), host.counter.disagreements) == (5, 0)


def test_without_the_files_every_count_is_a_walk(host: Host) -> None:
    host.readable = False
    for beat in range(3):
        host.syn_recv(beat)
        assert host.count(beat / 4) == beat
    assert (host.walks, host.counter.disagreements) == (3, 0)


def test_with_procfs_nothing_is_compared(host: Host) -> None:
    host.fallback.choose(Method.PROCFS)
    host.syn_recv(3)
    assert [host.count(beat / 4) for beat in range(3)] == [3] * 3
    assert (host.walks, host.counter.method) == (3, "procfs")


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> Host:
    """Only walks, and a namespace in which segments are counted."""
    host = Host(monkeypatch)
    host.readable = False
    host.segments = 7
    return host


def test_no_walk_while_none_was_found_and_no_segment_has_come(walked: Host) -> None:
    assert [walked.count(float(now)) for now in range(10)] == [0] * 10
    assert walked.walks == 2


def test_a_segment_opens_the_gate(walked: Host) -> None:
    for now in range(3):
        walked.count(float(now))
    walked.segments = 8
    walked.syn_recv(2)
    assert walked.count(3.0) == 2
    walked.syn_recv(0)
    walked.counts = {}
    assert [walked.count(float(now)) for now in (4, 5, 6)] == [0, 0, 0]
    assert walked.walks == 4


def test_the_gate_stays_open_while_there_are_any(walked: Host) -> None:
    """They end by their timers, for which no segment has to come."""
    walked.syn_recv(2)
    assert [walked.count(float(now)) for now in range(4)] == [2] * 4
    assert walked.walks == 4


def test_a_segment_during_the_walk_is_not_overlooked(walked: Host) -> None:
    walked.count(0.0)

    def late() -> None:
        walked.segments = 8
        walked.syn_recv(1)

    walked.after_walk = late
    assert [walked.count(float(now)) for now in (1, 2)] == [0, 1]


def test_a_walk_that_failed_has_found_nothing_out(walked: Host) -> None:
    for now in range(3):
        walked.count(float(now))
    walked.segments = 8
    walked.fault = KernelError("sock_diag dump", "ENOBUFS")
    for now in (3, 4):
        with pytest.raises(KernelError):
            walked.count(float(now))
    walked.fault = None
    walked.syn_recv(3)
    assert walked.count(5.0) == 3


def test_rows_that_fit_nobody_keep_the_gate_open(walked: Host) -> None:
    walked.counts = {endpoint("10.9.9.9", 4): 1}
    for now in range(4):
        walked.count(float(now))
    assert walked.walks == 4


def test_after_a_step_down_to_procfs_references_are_left_alone(host: Host) -> None:
    """The ladder finds out during the walk, when the references have been read already."""
    host.syn_recv(3)
    host.count(0.0)
    host.fallback.method = Method.PROCFS
    assert (host.count(0.25), host.walks, host.counter.method) == (3, 2, "procfs")
