"""Counting half-open connections by references, and by dumps where they are needed and allowed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise

import pytest

from exporter.config import parse
from exporter.kernel.errors import KernelError, UnavailableError
from exporter.kernel.fallback import MethodFallback
from exporter.kernel.procfs.refcount import RefCount
from exporter.kernel.procfs.tcp_activity import TcpActivity
from exporter.kernel.records import Endpoint, Listener, Method, QueueReading
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.listeners.matching import Matcher
from exporter.sampling.history.timeline import STALE_SECONDS
from exporter.sampling.mptcp_sockets import MptcpSockets
from exporter.sampling.sources.syn_recv_counter import (
    RECHECK_SECONDS,
    REFCOUNT,
    SynRecvCounter,
)
from exporter.sampling.sources.syn_recv_readers import SynRecvReaders
from exporter.sampling.walk_limit import WalkLimit
from tests.listeners.sockets import endpoint, tcp
from tests.sampling.fake_clock import FakeClock
from tests.sampling.fake_namespace import FakeSnmp

HERE = endpoint("10.0.0.1")
QUARTER = 0.25
# The first counts are at this time.
START = 1000.0
BUDGET = 0.02


class FakeRefCounts:
    """The reference counts of the host's listeners."""

    def __init__(self, host: Host) -> None:
        self.cost = 0.0001
        self.reads = 0
        self.readable = True
        self._host = host

    def read(self, _family: int, _count: int) -> Mapping[int, RefCount]:
        """Return them by inode."""
        self.reads += 1
        if not self.readable:
            raise UnavailableError("cannot read net/tcp", "EACCES")
        self._host.clock.spend(self.cost)
        return {inode: RefCount(held, self._host.waiting[inode]) for inode, held in self._host.held.items()}


class Host:
    """Listeners on port 80, whose half-open connections a dump finds and reference counts show.

    They are counted every quarter of a second, at `now`. `sent_again` counts SYN-ACKs.
    """

    def __init__(self, members: int = 1, walks: WalkLimit | None = None, namespaces: int = 1) -> None:
        self.now = START
        self.clock = FakeClock()
        self.fallback = MethodFallback(Method.AUTO)
        self.counts: dict[Endpoint, int] = {}
        self.held = dict.fromkeys(range(101, 101 + members), 1)
        self.waiting = dict.fromkeys(self.held, 0)
        self.dump_cost = 0.02
        self.ref_counts = FakeRefCounts(self)
        self.dumps = 0
        self.segments: int | None = None
        self.sent_again: int | None = 0
        self.mptcp = MptcpSockets()
        self.fault: KernelError | None = None
        self.after_dump: Callable[[], object] = lambda: None
        self.matcher = self.listening(
            [tcp(cookie + 1, inode=inode) for cookie, inode in enumerate(self.held)]
        )
        self.walks = walks or WalkLimit(parse("{}", "c.yaml"))
        self.walks.set_namespaces(namespaces)
        readers = SynRecvReaders(
            self,
            self.ref_counts,
            TcpActivity(FakeSnmp(lambda: self.segments)),
            lambda: self.sent_again,
            self.mptcp,
        )
        self.counter = SynRecvCounter(readers, self.clock.clock(), self.walks)

    def listening(self, listeners: list[Listener], *mptcp: int) -> Matcher:
        """Index these listeners, of which those with the inodes `mptcp` are MPTCP's."""
        self.mptcp.take(listeners, set(mptcp))
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
        self.counts = {HERE: count} if count else {}
        self.held[inode] = own + count + self.waiting[inode]

    def count_at(self, now: float) -> int:
        """Count as the sampler does, all groups together."""
        self.now = now
        return sum(self.counter.count(now, self.matcher).by_group.values())

    def count(self) -> int:
        """Count a quarter of a second after the last time."""
        return self.count_at(self.now + QUARTER)

    def dumps_in(self, seconds: float) -> int:
        """Count for so long, and return how many dumps that took."""
        before = self.dumps
        for _ in range(round(seconds / QUARTER)):
            self.count()
        return self.dumps - before


@pytest.fixture
def host() -> Host:
    """A host of which it is known what a dump costs: 20 ms, where references cost 0.1."""
    return dumped_once(Host())


def dumped_once(host: Host) -> Host:
    """Dump once, and let enough time pass for another one."""
    host.count_at(START - 10.0)
    host.count_at(START)
    assert host.dumps == 1
    host.dumps = 0
    return host


def test_references_are_not_read_while_dumps_cost_next_to_nothing() -> None:
    host = Host()
    host.dump_cost = 0.0005
    assert host.dumps_in(5.0) == 20
    assert (host.ref_counts.reads, host.counter.method) == (0, "sock_diag")
    host.dump_cost = 0.02
    host.dumps_in(1.0)
    assert (host.ref_counts.reads > 0, host.counter.method) == (True, REFCOUNT)


def test_next_to_nothing_is_little_for_all_namespaces_together() -> None:
    host = Host(namespaces=10)
    host.dump_cost = 0.0005
    host.dumps_in(5.0)
    assert (host.dumps, host.counter.method) == (1, REFCOUNT)


def test_what_references_prove_needs_no_dump() -> None:
    """But one a minute, to know what it costs, is taken by whoever counts first."""
    host = Host()
    assert host.dumps_in(600.0) in {10, 11}


def test_references_that_change_are_counted_each_time(host: Host) -> None:
    counted = []
    for count in (5, 5, 2, 0, 20_000):
        host.set_syn_recv(count)
        counted.append(host.count())
    assert (counted, host.dumps) == ([5, 5, 2, 0, 20_000], 0)


def test_connections_at_first_sight_are_confirmed_by_one_dump() -> None:
    host = Host()
    host.count_at(START - 20.0)
    host.matcher = host.listening([tcp(7, inode=101)])
    host.set_syn_recv(3)
    assert [host.count_at(START), host.count(), host.count()] == [3] * 3
    host.set_syn_recv(5)
    assert (host.count(), host.dumps, host.counter.method) == (5, 2, REFCOUNT)


def test_the_method_stays_the_same_while_a_dump_confirms_it() -> None:
    host = Host()
    host.count_at(START - 20.0)
    host.set_syn_recv(3)
    methods = set()
    for _ in range(200):
        host.count()
        methods.add(host.counter.method)
    assert (methods, host.dumps > 2) == ({REFCOUNT}, True)


def test_where_dumps_are_cheaper_they_are_used(host: Host) -> None:
    host.dump_cost, host.ref_counts.cost = 0.002, 0.01
    for _ in range(300):
        host.count()
    host.dumps = 0
    counted = [host.count() for _ in range(4)]
    assert (counted, host.dumps, host.counter.method) == ([0] * 4, 4, "sock_diag")


def test_connections_that_wait_for_accept_are_not_syn_recv(host: Host) -> None:
    host.waiting[101] = 4
    host.set_syn_recv(2)
    assert host.count() == 2


def test_what_may_be_more_is_counted_by_a_dump_now_and_then(host: Host) -> None:
    host.set_syn_recv(3)
    assert host.dumps_in(4.0) == 0
    # A connection that a SYN cookie made makes up for a half-open one.
    host.waiting[101], host.counts = 1, {HERE: 4}
    assert [host.count_at(host.now + RECHECK_SECONDS), host.dumps] == [4, 1]


def test_own_references_of_mptcp_are_told(host: Host) -> None:
    host.matcher = host.listening([tcp(7, inode=101)], 101)
    host.set_syn_recv(0, own=2)
    assert host.count() == 0
    host.set_syn_recv(7, own=2)
    assert (host.count(), host.dumps) == (7, 0)


def test_as_long_as_it_is_not_told_a_second_reference_is_its_own(host: Host) -> None:
    listeners = [tcp(7, inode=101)]
    host.matcher = host.listening(listeners)
    host.mptcp.take([], set())
    host.set_syn_recv(0, own=2)
    assert (host.count(), host.dumps) == (0, 0)
    # It was a half-open connection, and is counted as soon as that is known, though nothing else has changed.
    host.mptcp.take(listeners, set())
    host.counts = {HERE: 1}
    assert host.count() == 1


def test_other_references_are_learned_by_a_dump(host: Host) -> None:
    """A socket in a BPF map has one more than others, of which nothing tells."""
    host.matcher = host.listening([tcp(7, inode=101)])
    host.set_syn_recv(3, own=2)
    assert (host.count(), host.dumps) == (3, 1)
    host.set_syn_recv(7, own=2)
    assert (host.count(), host.dumps, host.counter.disagreements) == (7, 1, 0)


def test_what_is_dumped_once_otherwise_is_no_disagreement(host: Host) -> None:
    """Connections come and go between the references and the dump."""
    host.set_syn_recv(3)
    host.count()
    host.counts = {HERE: 2}
    counted = [host.count_at(host.now + RECHECK_SECONDS)]
    host.counts = {HERE: 3}
    counted += [host.count_at(host.now + STALE_SECONDS), host.count()]
    assert (counted, host.dumps, host.counter.disagreements) == ([2, 3, 3], 2, 0)


@pytest.mark.parametrize(("own", "dumps"), [(2, 0), (0, 1)])
def test_what_is_dumped_otherwise_again_is_one(host: Host, own: int, dumps: int) -> None:
    """A second own reference is learned; what cannot be own makes dumps decide from then on."""
    host.set_syn_recv(3)
    host.count()
    host.set_syn_recv(5, own=own)
    host.walks.cost.measured(0.02, host.now + 60.0)
    counted = [host.count_at(host.now + 70.0), host.count_at(host.now + STALE_SECONDS)]
    assert (counted, host.counter.disagreements) == ([5, 5], 1)
    host.set_syn_recv(9, own=own)
    before = host.dumps
    assert host.count_at(host.now + STALE_SECONDS) == 9
    assert host.dumps - before == dumps
    host.set_syn_recv(4)
    for _ in range(8):
        host.count_at(host.now + STALE_SECONDS)
    assert host.counter.method == REFCOUNT


def test_connections_that_outlive_their_socket_are_no_disagreement(host: Host) -> None:
    """A service that starts again in a flood: they arrived where the new socket listens."""
    host.set_syn_recv(50)
    host.count()
    host.matcher = host.listening([tcp(7, inode=107)])
    host.held, host.waiting = {107: 1}, {107: 0}
    for _ in range(120):
        host.count()
    assert host.counter.disagreements == 0


def test_fewer_references_than_its_own_are_settled_by_a_dump_at_once(host: Host) -> None:
    """A SYN cookie made a connection that waits, and holds no reference."""
    host.set_syn_recv(1)
    host.count()
    host.waiting[101] = 5
    assert (host.count(), host.dumps) == (1, 1)


def test_what_only_a_dump_tells_is_as_old_as_the_budget_makes_it_and_no_older_than_five_seconds() -> None:
    host = Host(namespaces=50)
    host.count_at(START - 60.0)
    host.waiting[101] = 5
    told: list[float] = []
    before = host.dumps
    for number in range(400):
        # Another number at each time, so that it shows when it was dumped.
        host.counts = {HERE: number + 1}
        host.count()
        if host.dumps > before:
            told.append(host.now)
            before = host.dumps
    gaps = [later - earlier for earlier, later in pairwise(told)]
    assert max(gaps) <= STALE_SECONDS
    # A dump in 4 seconds is half of a per cent of a core, a quarter of the budget.
    assert min(gaps) >= 0.02 / (BUDGET / 4)


def test_what_only_a_dump_tells_is_no_older_than_five_seconds_where_others_take_all_walks(host: Host) -> None:
    host.waiting[101] = 5
    others = OtherNamespaces(host.walks)
    counted = []
    for number in range(80):
        others.walk(host.now)
        host.counts = {HERE: number + 1}
        counted.append(host.count())
    assert max(number + 1 - count for number, count in enumerate(counted)) * QUARTER <= STALE_SECONDS


def test_one_that_needs_no_walk_any_more_keeps_none_waiting(host: Host) -> None:
    other = Host(walks=host.walks)
    host.waiting[101] = 5
    OtherNamespaces(host.walks).walk(host.now)
    host.count()
    host.waiting[101] = 0
    host.walks.note(0.0, host.now)
    assert (host.count(), host.dumps) == (0, 0)
    other.matcher = other.listening([tcp(7, inode=101)])
    other.set_syn_recv(3)
    assert (other.count_at(host.now), other.dumps) == (3, 1)


def test_a_new_listener_without_connections_needs_no_dump(host: Host) -> None:
    host.held[102], host.waiting[102] = 1, 0
    host.matcher = host.listening([tcp(1, inode=101), tcp(2, "10.0.0.9", inode=102)])
    assert (host.count(), host.dumps) == (0, 0)


def test_a_listener_that_is_not_in_the_file_yet_takes_a_dump(host: Host) -> None:
    host.matcher = host.listening([tcp(1, inode=101), tcp(2, "10.0.0.9", inode=102)])
    host.counts = {endpoint("10.0.0.9"): 2}
    assert (host.count(), host.dumps) == (2, 1)


def test_connections_of_a_listener_that_closed_are_counted_by_dumps_until_they_are_gone(host: Host) -> None:
    host.set_syn_recv(3)
    assert (host.count(), host.dumps) == (3, 0)
    host.matcher = host.listening([])
    found = [host.counter.count(START + seconds, host.matcher) for seconds in (5, 10)]
    assert [(each.by_group, each.unmatched) for each in found] == [({}, 3)] * 2
    host.counts = {}
    found = [host.counter.count(START + seconds, host.matcher) for seconds in (15, 20, 25)]
    assert ([each.unmatched for each in found], host.dumps) == ([0] * 3, 3)


def test_a_group_adds_up() -> None:
    host = dumped_once(Host(members=4))
    host.held[103] = 6
    host.held[104] = 2
    assert (host.count(), host.dumps) == (6, 0)


def test_without_the_files_every_count_is_a_dump(host: Host) -> None:
    host.ref_counts.readable = False
    counted = []
    for count in range(3):
        host.set_syn_recv(count)
        counted.append(host.count())
    assert (counted, host.dumps, host.counter.method) == ([0, 1, 2], 3, "sock_diag")
    assert host.counter.limited_seconds == host.walks.cpu_seconds == pytest.approx(0.02)


def test_files_that_can_be_read_again_are(host: Host) -> None:
    """Which is found out once a minute."""
    host.ref_counts.readable = False
    reads = host.ref_counts.reads
    for _ in range(230):
        host.count()
    assert host.ref_counts.reads - reads == 1
    host.ref_counts.readable = True
    for _ in range(20):
        host.count()
    assert host.counter.method == REFCOUNT


def test_with_procfs_every_count_is_a_walk(host: Host) -> None:
    host.fallback.choose(Method.PROCFS)
    host.set_syn_recv(3)
    assert [host.count() for _ in range(3)] == [3] * 3
    assert (host.dumps, host.counter.method) == (3, "procfs")


def test_what_a_dump_takes_that_the_limit_allowed_is_told(host: Host) -> None:
    before = host.walks.cpu_seconds
    host.matcher = host.listening([tcp(7, inode=101)])
    host.set_syn_recv(3)
    host.count()
    assert host.walks.cpu_seconds - before == pytest.approx(0.02)
    assert host.counter.limited_seconds == host.walks.cpu_seconds


def test_a_dump_that_fails_counts_as_one(host: Host) -> None:
    """Otherwise it would be tried at each count, whatever it takes."""
    host.matcher = host.listening([tcp(7, inode=101)])
    host.set_syn_recv(3)
    host.fault = KernelError("sock_diag dump", "ENOBUFS")
    with pytest.raises(KernelError):
        host.count()
    host.fault = None
    assert [host.count() for _ in range(4)] == [3] * 4
    assert host.dumps == 1


class EmptyNamespace(Host):
    """One of many namespaces, without a socket beside its listener: to read its references is a walk."""

    def __init__(self) -> None:
        super().__init__(namespaces=110)
        self.ref_counts.cost = 0.005
        self.count_at(START - 60.0)
        # It is found out by reading them twice: once may be a chance.
        for seconds in (30.0, 20.0, 10.0, 0.0):
            self.count_at(START - seconds)
        self.dumps = self.ref_counts.reads = 0

    def walks_in(self, seconds: float) -> int:
        """Count for so long, and return how many walks that took."""
        before = self.ref_counts.reads + self.dumps
        self.dumps_in(seconds)
        return self.ref_counts.reads + self.dumps - before


def test_references_that_are_dear_are_read_as_often_as_the_limit_allows() -> None:
    host = EmptyNamespace()
    # 5 ms in half of a per cent of a core.
    assert host.walks_in(60.0) == pytest.approx(60, abs=6)
    assert host.dumps <= 1
    assert host.counter.limited_seconds == host.walks.cpu_seconds


def test_one_read_that_took_long_makes_references_not_dear() -> None:
    host = EmptyNamespace()
    host.ref_counts.cost = 0.0001
    # Until a walk is allowed, in which they are read.
    host.walks_in(5.0)
    assert host.walks_in(5.0) == 20
    limited = host.counter.limited_seconds
    host.ref_counts.cost = 0.1
    host.count()
    host.ref_counts.cost = 0.0001
    assert host.walks_in(5.0) == 20
    assert host.counter.limited_seconds == limited


def test_where_a_dump_is_cheaper_than_dear_references_it_is_taken() -> None:
    host = EmptyNamespace()
    host.dump_cost = 0.001
    host.dumps_in(60.0)
    host.dumps = host.ref_counts.reads = 0
    host.dumps_in(50.0)
    assert host.dumps > 10 * host.ref_counts.reads


class OtherNamespaces:
    """Others that take all walks there are, so that it is known what one costs."""

    def __init__(self, walks: WalkLimit) -> None:
        self.walks = walks

    def walk(self, now: float) -> None:
        """Take the next one."""
        self.walks.note(1.0, now)
        self.walks.cost.measured(0.02, now)


def test_without_a_walk_none_is_half_open_for_longer_than_a_second_unless_its_syn_ack_went_again() -> None:
    host = EmptyNamespace()
    others = OtherNamespaces(host.walks)
    counted = []
    for _ in range(200):
        others.walk(host.now)
        counted.append(host.count())
    assert (set(counted), host.dumps + host.ref_counts.reads) == ({0}, 0)
    host.set_syn_recv(3)
    host.sent_again = 3
    found = []
    for _ in range(20):
        others.walk(host.now)
        found.append(host.count())
    # No figure is older than five seconds.
    assert found[-1] == 3


@pytest.mark.parametrize("sent_again", [None, 0])
def test_without_that_evidence_figures_are_no_older_than_five_seconds(sent_again: int | None) -> None:
    host = EmptyNamespace()
    host.sent_again = sent_again
    host.set_syn_recv(2)
    host.count_at(host.now + STALE_SECONDS)
    others = OtherNamespaces(host.walks)
    host.walks.limit_to(0.0, host.now)
    before = host.ref_counts.reads + host.dumps
    for _ in range(80):
        others.walk(host.now)
        assert host.count() == 2
    assert 4 <= host.ref_counts.reads + host.dumps - before <= 6
    host.walks.limit_to(0.0, host.now)
    assert host.walks.least_share() > 0.0


def test_many_namespaces_with_connections_take_no_more_walks_than_the_limit() -> None:
    """All of them are new, with connections that no dump has confirmed."""
    walks = WalkLimit(parse("{}", "c.yaml"))
    hosts = [Host(walks=walks, namespaces=110) for _ in range(110)]
    hosts[0].count_at(START - 60.0)
    for host in hosts:
        host.matcher = host.listening([tcp(7, inode=101)])
        host.set_syn_recv(3)
    hosts[17].set_syn_recv(1000)
    before, dumps = walks.cpu_seconds, sum(host.dumps for host in hosts)
    ticks = 240
    for tick in range(ticks):
        for host in hosts:
            assert host.count_at(START + tick * QUARTER) in {3, 1000}
        if tick == 20:
            assert hosts[17].dumps == 1, "the most at once come first"
    assert sum(host.dumps for host in hosts) - dumps <= ticks * QUARTER / 4.0 + 2
    assert walks.cpu_seconds - before <= BUDGET / 4 * ticks * QUARTER + 2 * 0.02


@pytest.fixture
def dumped() -> Host:
    """Only dumps, and a namespace in which segments are counted."""
    host = Host()
    host.ref_counts.readable = False
    host.segments = 7
    return host


def test_no_references_are_read_either_while_no_segment_has_come(host: Host) -> None:
    host.segments = 7
    host.dumps_in(1.0)
    reads = host.ref_counts.reads
    assert host.dumps_in(10.0) == 0
    assert host.ref_counts.reads == reads


def test_a_connection_that_waits_leaves_it_open_whether_none_is_half_open(host: Host) -> None:
    """A SYN cookie may have made it, so what is there is looked at again, though no segment comes."""
    host.segments = 7
    host.waiting[101] = 1
    host.held[101] = 2
    host.dumps_in(1.0)
    reads = host.ref_counts.reads
    host.dumps_in(5.0)
    assert host.ref_counts.reads - reads >= 15


def test_no_dump_while_none_was_found_and_no_segment_has_come(dumped: Host) -> None:
    assert [dumped.count_at(START + now) for now in range(10)] == [0] * 10
    assert dumped.dumps == 2


def test_after_a_segment_there_is_a_dump(dumped: Host) -> None:
    for now in range(3):
        dumped.count_at(START + now)
    dumped.segments = 8
    dumped.set_syn_recv(2)
    assert dumped.count_at(START + 3) == 2
    dumped.set_syn_recv(0)
    dumped.counts = {}
    assert [dumped.count_at(START + now) for now in (4, 5, 6)] == [0, 0, 0]
    assert dumped.dumps == 4


def test_there_are_dumps_while_any_was_found(dumped: Host) -> None:
    """They end by their timers, for which no segment has to come."""
    dumped.set_syn_recv(2)
    assert [dumped.count_at(START + now) for now in range(4)] == [2] * 4
    assert dumped.dumps == 4


def test_a_segment_during_the_dump_is_not_overlooked(dumped: Host) -> None:
    dumped.count_at(START)

    def late() -> None:
        dumped.segments = 8
        dumped.set_syn_recv(1)

    dumped.after_dump = late
    assert [dumped.count_at(START + now) for now in (1, 2)] == [0, 1]


def test_a_dump_that_failed_is_repeated(dumped: Host) -> None:
    for now in range(3):
        dumped.count_at(START + now)
    dumped.segments = 8
    dumped.fault = KernelError("sock_diag dump", "ENOBUFS")
    for now in (3, 4):
        with pytest.raises(KernelError):
            dumped.count_at(START + now)
    dumped.fault = None
    dumped.set_syn_recv(3)
    assert dumped.count_at(START + 5) == 3


def test_there_are_dumps_while_rows_fit_no_listener(dumped: Host) -> None:
    dumped.counts = {endpoint("10.9.9.9", 4): 1}
    for now in range(4):
        dumped.count_at(START + now)
    assert dumped.dumps == 4


def test_after_a_change_to_procfs_references_are_not_used(host: Host) -> None:
    """The fallback finds out during the dump, when the references have been read already."""
    host.matcher = host.listening([tcp(7, inode=101)])
    host.set_syn_recv(3)
    host.after_dump = lambda: host.fallback.choose(Method.PROCFS)
    cost = host.walks.cost.latest
    host.dump_cost = 0.001
    assert (host.count(), host.dumps) == (3, 1)
    assert (host.count(), host.dumps, host.counter.method) == (3, 2, "procfs")
    assert host.walks.cost.latest == cost


ELSEWHERE = endpoint("10.0.0.1", 443)


class ProxyHost(Host):
    """A listener on port 80 and a transparent one on port 15006, whose dumps are cheap."""

    def __init__(self, own: int = 1) -> None:
        super().__init__(members=2)
        self.dump_cost = 0.0005
        self.held[102] = own
        listeners = [tcp(1, inode=101), tcp(2, port=15006, inode=102, transparent=True)]
        self.matcher = self.listening(listeners, *([102] if own > 1 else []))

    def redirect(self, count: int, arrived: Endpoint = ELSEWHERE) -> None:
        """Make so many half-open connections more, which arrived there and hold the transparent listener."""
        self.counts[arrived] = self.counts.get(arrived, 0) + count
        self.held[102] += count

    def counted(self, now: float) -> tuple[dict[str, int], int]:
        """The counts by port, and how many fit none."""
        found = self.counter.count(now, self.matcher)
        return {group.key.port: count for group, count in found.by_group.items()}, found.unmatched


@pytest.mark.parametrize("own", [1, 2])
def test_what_was_redirected_is_found_by_references(own: int) -> None:
    """An MPTCP listener has a reference more."""
    host = ProxyHost(own)
    found = [host.counted(0.0)]
    host.redirect(5)
    found.append(host.counted(1.0))
    host.redirect(3, HERE)
    host.redirect(-2)
    found.append(host.counted(2.0))
    assert found == [({}, 0), ({"15006": 5}, 0), ({"15006": 6}, 0)]
    host.redirect(-3, HERE)
    host.counts[ELSEWHERE] += 4
    assert host.counted(3.0) == ({"15006": 3}, 4)


def test_while_dumps_are_cheap_references_are_read_where_there_is_something_to_give_to_a_listener() -> None:
    host = ProxyHost()
    for now in range(4):
        host.counted(float(now))
    assert host.ref_counts.reads == 0
    host.redirect(5)
    host.counted(4.0)
    assert host.ref_counts.reads == 1


def test_without_the_files_it_belongs_to_the_only_transparent_listener() -> None:
    host = ProxyHost()
    host.ref_counts.readable = False
    host.redirect(5)
    assert host.counted(0.0) == ({"15006": 5}, 0)


def test_where_dumps_are_dear_references_alone_count_what_was_redirected() -> None:
    host = ProxyHost(own=2)
    host.dump_cost = 0.02
    host.counted(0.0)
    host.redirect(5)
    found = [host.counted(1.0), host.counted(1.25)]
    dumps = host.dumps
    host.redirect(1)
    assert (host.counted(1.5), host.counter.method) == (({"15006": 6}, 0), REFCOUNT)
    assert (found, host.dumps - dumps) == ([({"15006": 5}, 0)] * 2, 0)
    assert host.counted(2.0 + RECHECK_SECONDS) == ({"15006": 6}, 0)
    assert host.counter.disagreements == 0


def test_what_is_not_known_is_no_proof_that_nothing_is_half_open() -> None:
    """The dump has to be repeated, though no segment comes in."""
    host = ProxyHost()
    host.segments = 7
    host.ref_counts.readable = False
    other = tcp(3, port=15001, inode=103, transparent=True)
    host.matcher = host.listening([tcp(2, port=15006, inode=102, transparent=True), other])
    host.counts = {ELSEWHERE: 5}
    found = [host.counter.count(float(now), host.matcher) for now in range(4)]
    assert {(each.unknown, each.unmatched) for each in found} == {(frozenset(host.matcher.transparent), 5)}
    assert host.dumps == 4
