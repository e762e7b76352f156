"""Half-open connections counted by references on a real kernel, as where no walk is cheap."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack

import pytest

from exporter.config.model import Config
from exporter.kernel.netns.namespace import own_namespace
from exporter.kernel.procfs.counters import read_syn_repeats
from exporter.kernel.procfs.files import OWN_PROCFS
from exporter.sampling.clock import SYSTEM_CLOCK
from exporter.sampling.namespace_sampler import NamespaceSampler, SharedBySamplers
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.sources.syn_recv import SynRecv
from exporter.sampling.sources.syn_recv_counter import REFCOUNT
from exporter.sampling.walk_limit import WalkLimit
from testbed import flood, namespace
from testbed.waiting import equals, until
from tests.integration import listening_sockets, reference

IPV4, IPV6 = listening_sockets.TUN_IPV4, listening_sockets.TUN_IPV6
# So many share the budget that no walk is cheap.
NAMESPACES = 100_000
WALK_SECONDS = 10.0

pytestmark = pytest.mark.netns


class Counted:
    """The sources of this namespace, asked when a test wants it.

    With `walks` a walk is allowed each time that one is wanted, else none is.
    """

    def __init__(self, *, walks: bool = False) -> None:
        limit = WalkLimit(Config())
        limit.set_namespaces(NAMESPACES)
        self.limit = limit
        self.expect_costly_walks()
        if not walks:
            limit.note(WALK_SECONDS, time.monotonic())
        shared = SharedBySamplers(threading.Lock(), SYSTEM_CLOCK, limit)
        self.sampler = NamespaceSampler(own_namespace(), Config(), shared)
        self.source = self.sampler.source(SynRecv)
        self.read()
        table = self.sampler.table
        table.mptcp.take(table.listeners(), self.sampler.namespace.mptcp_inodes())

    def read(self) -> dict[str, int | None]:
        """Ask, and return the half-open connections of each listener by its port."""
        for name in ("inet", "syn_recv"):
            self._runner(name).run(time.monotonic())
            assert self._runner(name).error is None
        return {
            state.group.key.port: state.syn_recv.length
            for state in self.sampler.table.states.values()
            if state.syn_recv is not None and state.group.members
        }

    def expect_costly_walks(self) -> None:
        """Have a walk taken for costly, which it is not here: the lesser of the last two costs counts."""
        for _ in range(2):
            self.limit.cost.measured(WALK_SECONDS, time.monotonic())

    def walked_seconds(self) -> float:
        """The processor time of walks."""
        return self.source.limited_seconds

    def _runner(self, name: str) -> SourceRunner:
        return next(runner for runner in self.sampler.runners if runner.name == name)


def test_floods_are_counted_to_the_last_connection_without_a_walk() -> None:
    namespace.write_sysctl("net.core.somaxconn", 4096)
    with ExitStack() as stack:
        tun = stack.enter_context(flood.Tun())
        for address, port in ((IPV4, 8080), (IPV4, 8081), (IPV6, 8082), (IPV6, 8083)):
            stack.enter_context(listening_sockets.tcp(address, port, backlog=4096))
        counted = Counted()
        assert counted.read() == {"8080": 0, "8081": 0, "8082": 0, "8083": 0}
        flood.syn_flood(tun, IPV4, 8081, 1000)
        flood.syn_flood(tun, IPV6, 8082, 1)
        assert counted.read() == {"8080": 0, "8081": 1000, "8082": 1, "8083": 0}
        assert (counted.source.method, counted.walked_seconds()) == (REFCOUNT, 0.0)
        assert reference.syn_recv() == 1001


def test_connections_that_wait_or_were_accepted_are_not_half_open() -> None:
    with listening_sockets.tcp("127.0.0.1") as listener:
        counted = Counted()
        clients = listening_sockets.clients(listener, 5)
        accepted = listening_sockets.accept(listener, 2)
        assert counted.read() == {"8080": 0}
        assert (counted.source.method, counted.walked_seconds()) == (REFCOUNT, 0.0)
        for each in (*clients, *accepted):
            each.close()


def test_an_mptcp_listener_has_a_reference_more() -> None:
    with flood.Tun() as tun, listening_sockets.mptcp(IPV4):
        counted = Counted()
        assert counted.read() == {"8080": 0}
        flood.syn_flood(tun, IPV4, 8080, 3)
        assert counted.read() == {"8080": 3}
        assert (counted.source.method, counted.walked_seconds()) == (REFCOUNT, 0.0)


def test_sockets_of_a_group_add_up() -> None:
    with ExitStack() as stack:
        tun = stack.enter_context(flood.Tun())
        for _ in range(4):
            stack.enter_context(listening_sockets.tcp(IPV4, backlog=100, reuse_port=True))
        counted = Counted()
        flood.syn_flood(tun, IPV4, 8080, 40)
        assert counted.read() == {"8080": 40}


def test_what_is_there_at_first_sight_is_confirmed_by_a_walk() -> None:
    with flood.Tun() as tun, listening_sockets.tcp(IPV4):
        flood.syn_flood(tun, IPV4, 8080, 3)
        counted = Counted(walks=True)
        assert counted.read() == {"8080": 3}
        walked = counted.walked_seconds()
        assert walked > 0.0
        counted.expect_costly_walks()
        assert counted.read() == {"8080": 3}
        assert (counted.source.method, counted.walked_seconds()) == (REFCOUNT, walked)


def test_where_a_cookie_made_a_connection_that_waits_a_walk_counts() -> None:
    """It holds no reference, so that references tell fewer half-open ones than there are."""
    namespace.write_sysctl("net.ipv4.tcp_syncookies", 2)
    with flood.Tun() as tun, listening_sockets.tcp(IPV4) as listener:
        counted = Counted(walks=True)
        clients = listening_sockets.clients(listener, 4)
        namespace.write_sysctl("net.ipv4.tcp_syncookies", 1)
        flood.syn_flood(tun, IPV4, 8080, 3)
        assert counted.read() == {"8080": 3}
        assert counted.walked_seconds() > 0.0
        assert counted.source.disagreements == 0
        for client in clients:
            client.close()


def test_connections_of_a_listener_that_closed_fit_none() -> None:
    with flood.Tun() as tun:
        with listening_sockets.tcp(IPV4):
            counted = Counted(walks=True)
            flood.syn_flood(tun, IPV4, 8080, 3)
            tun.wait_for_pause(3)
            assert counted.read() == {"8080": 3}
        until(lambda: (counted.read(), counted.source.unmatched), equals(({}, 3)))


def test_in_a_namespace_without_other_sockets_nothing_is_missed() -> None:
    """To read the last listener of a file is a walk there, which is not allowed."""
    with flood.Tun() as tun, listening_sockets.tcp(IPV4):
        counted = Counted()
        flood.syn_flood(tun, IPV4, 8080, 3)
        # No figure is older than five seconds: then it is walked all the same.
        until(counted.read, equals({"8080": 3}))


def test_a_syn_ack_goes_again_after_a_second_and_is_counted() -> None:
    """So without one, nothing has been half-open for longer."""
    with flood.Tun() as tun, listening_sockets.tcp(IPV4):
        before = read_syn_repeats(OWN_PROCFS)
        assert before is not None
        flood.syn_flood(tun, IPV4, 8080, 3)
        began = time.monotonic()
        until(lambda: read_syn_repeats(OWN_PROCFS), lambda now: now is not None and now >= before + 3)
        # The second time is three seconds after the first.
        assert time.monotonic() - began < 2.5


def test_where_no_segment_ever_came_nothing_is_asked() -> None:
    with socket.create_server(("127.0.0.1", 8080)):
        counted = Counted()
        assert counted.read() == {"8080": 0}
        runner = next(runner for runner in counted.sampler.runners if runner.name == "syn_recv")
        assert runner.stats.samples == 2
        assert counted.source.method == "sock_diag"
