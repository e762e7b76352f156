"""Visiting another namespace: what is read belongs to it, and nothing of it stays open."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress

import pytest

from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import KernelError, NamespaceReplacedError, UnavailableError
from exporter.kernel.family import TCP
from exporter.kernel.netns.broker_client import BrokerClient, BrokerLostError, OpenedDescriptors
from exporter.kernel.netns.remote import RemoteNamespace, attach_all, have_cookies
from exporter.kernel.procfs.counters import COUNTER_FILES
from exporter.kernel.records import Method
from exporter.kernel.sock_diag import dump as netlink
from exporter.kernel.sock_diag import requests
from testbed import namespace, programs, syscalls
from tests.broker.broker_processes import broker_of, brokered, keeper_of
from tests.broker.namespaced_process import (
    Neighbour,
    cookie_of,
    descriptors,
    give_name,
    hide_named,
    inside,
    own_cookie,
    take_name,
    until,
)
from tests.kernel.datagrams import done, tcp_row


def settled(number: int) -> None:
    namespace.write_sysctl("net.core.somaxconn", number)


def guest_of(broker: BrokerClient, neighbour: Neighbour) -> RemoteNamespace:
    return RemoteNamespace(broker, str(neighbour.inode), NamespaceTarget(pid=neighbour.pid))


def ports(remote: RemoteNamespace) -> list[int]:
    """The ports that somebody listens on, read anew."""
    opened = remote.namespace.listeners(TCP, Method.SOCK_DIAG).read(0.0).opened
    return sorted(listener.endpoint.port for listener, _ in opened if listener.endpoint is not None)


def alone(
    broker: BrokerClient, remote: RemoteNamespace, files: Collection[str] = ()
) -> Iterator[KernelError | None]:
    """A visit to one namespace."""
    for _, error in attach_all(broker, [(remote, files)]):
        yield error


class Watched(BrokerClient):
    """The same broker, which counts the visits that it is asked for."""

    asked = 0

    def enter(self, targets: Sequence[NamespaceTarget]) -> Iterator[OpenedDescriptors | OSError]:
        """Count one more."""
        self.asked += 1
        return super().enter(targets)


@pytest.mark.netns
def test_each_visit_reads_its_own_namespace() -> None:
    settled(300)
    with (
        socket.create_server(("127.0.0.1", 80)),
        Neighbour(81, prepare=lambda: settled(71)) as one,
        Neighbour(82, 83, prepare=lambda: settled(72)) as two,
        brokered() as broker,
    ):
        remotes = [guest_of(broker, one), guest_of(broker, two)]
        seen = []
        for remote, error in attach_all(broker, [(remote, COUNTER_FILES) for remote in remotes]):
            assert error is None
            counters = remote.namespace.counters()
            seen.append((ports(remote), remote.namespace.sysctls().somaxconn, counters.listen_drops))
        assert seen == [([81], 71, 0), ([82, 83], 72, 0)]
        assert [remote.cookie for remote in remotes] == [one.cookie, two.cookie]
        assert all(remote.broker_seconds > 0 for remote in remotes)


@pytest.mark.netns
def test_what_a_visit_did_not_bring_is_fetched_and_disturbs_no_other() -> None:
    with Neighbour(81) as one, Neighbour(82) as two, Neighbour(83) as three, brokered() as broker:
        remotes = [guest_of(broker, each) for each in (one, two, three)]
        seen = []
        before = descriptors()
        for remote, error in attach_all(broker, [(remote, COUNTER_FILES) for remote in remotes]):
            assert error is None
            # A file, then the socket twice (it is given up in between), then a file that was brought.
            assert f":{80 + remotes.index(remote) + 1:04X} ".encode() in remote.namespace.proc.read("net/tcp")
            with suppress(ZeroDivisionError), remote.namespace.connect():
                raise ZeroDivisionError
            remote.namespace.counters()
            seen.append(ports(remote))
        assert seen == [[81], [82], [83]]
        assert descriptors() == before


@pytest.mark.netns
def test_what_a_visit_brought_stays_when_something_else_is_fetched() -> None:
    with Neighbour(81) as neighbour, brokered() as plain:
        broker = Watched(plain._channel)  # noqa: SLF001  (the same line)
        remote = guest_of(broker, neighbour)
        for error in alone(broker, remote, COUNTER_FILES):
            assert error is None
            remote.namespace.proc.read("net/tcp")
            assert broker.asked == 2
            remote.namespace.counters()
            remote.namespace.sysctls()
            ports(remote)
            ports(remote)
            assert broker.asked == 2


@pytest.mark.netns
def test_who_may_not_be_visited_is_told_with_the_reason_and_the_others_are_visited() -> None:
    with Neighbour(81) as neighbour, Neighbour() as ended, brokered() as broker:
        remotes = [
            guest_of(broker, ended),
            guest_of(broker, neighbour),
            RemoteNamespace(broker, "missing", NamespaceTarget(name=b"missing")),
        ]
        ended.end()
        found = [
            (error.reason if error else "", [] if error else ports(remote))
            for remote, error in attach_all(broker, [(remote, ()) for remote in remotes])
        ]
        assert found == [("ESRCH", []), ("", [81]), ("ENOENT", [])]


@pytest.mark.netns
def test_a_lost_broker_is_an_error_of_the_kernel() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    broker = BrokerClient(ours)
    theirs.close()
    remote = RemoteNamespace(broker, "a", NamespaceTarget(pid=1))
    for ask in (lambda: list(alone(broker, remote)), lambda: ports(remote), remote.namespace.counters):
        with pytest.raises(KernelError) as lost:
            ask()
        assert lost.value.reason == "broker"
        assert isinstance(lost.value.__cause__, BrokerLostError)
    broker.close()


@pytest.mark.netns
def test_another_namespace_under_the_same_name_is_refused_and_nothing_of_it_is_read() -> None:
    hide_named()
    with Neighbour(81) as one, Neighbour(82) as two, brokered() as broker:
        give_name("web", one.pid)
        remote = RemoteNamespace(broker, "web", NamespaceTarget(name=b"web"))
        for error in alone(broker, remote, COUNTER_FILES):
            assert error is None
            assert ports(remote) == [81]
        take_name("web")
        give_name("web", two.pid)
        before = descriptors()
        errors = list(alone(broker, remote, COUNTER_FILES))
        assert [type(error) for error in errors] == [NamespaceReplacedError]
        assert errors[0] is not None
        assert errors[0].reason == "replaced"
        for ask in (lambda: ports(remote), remote.namespace.counters):
            with pytest.raises(NamespaceReplacedError):
                ask()
        assert descriptors() == before
        assert remote.cookie == one.cookie


@pytest.mark.netns
def test_another_namespace_behind_the_same_process_is_refused() -> None:
    with Neighbour(81) as one, Neighbour(82) as two, brokered() as broker:
        remote = guest_of(broker, one)
        assert ports(remote) == [81]
        remote.set_target(NamespaceTarget(pid=two.pid))
        assert [error.reason for error in alone(broker, remote) if error] == ["replaced"]
        # Another process of the same namespace is a way in as good as the first.
        remote.set_target(NamespaceTarget(pid=one.pid))
        assert list(alone(broker, remote)) == [None]


@pytest.mark.netns
def test_outside_a_visit_it_opens_and_closes_by_itself() -> None:
    with Neighbour(81) as neighbour, brokered() as broker:
        pid = neighbour.pid
        programs.output(
            "ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(pid)
        )
        remote = guest_of(broker, neighbour)

        def use() -> None:
            assert ports(remote) == [81]
            remote.namespace.counters()
            assert remote.namespace.mptcp_inodes() == frozenset()
            with pytest.raises(ValueError, match="not in tuple"):
                remote.namespace.proc.read("net/unheard-of")

        use()
        at = broker_of(keeper_of(os.getpid()))
        before = descriptors(), descriptors(at)
        for _ in range(30):
            use()
        # The broker closes its own copies after it has answered.
        until(lambda: (descriptors(), descriptors(at)) == before)
        neighbour.end()
        until(lambda: "here" not in [name for _, name in socket.if_nameindex()])


@pytest.mark.netns
def test_a_file_that_is_not_there_leaves_nothing_open_outside_a_visit() -> None:
    with Neighbour(81) as neighbour, brokered() as broker:
        remote = guest_of(broker, neighbour)
        real = broker.enter

        def without_files(targets: Sequence[NamespaceTarget]) -> Iterator[OpenedDescriptors | OSError]:
            return real([NamespaceTarget(pid=target.pid) for target in targets])

        broker.enter = without_files  # type: ignore[method-assign]
        before = descriptors()
        for _ in range(3):
            with pytest.raises(UnavailableError):
                remote.namespace.proc.read("net/tcp")
        assert descriptors() == before


@pytest.mark.netns
def test_a_dump_left_half_way_gives_its_socket_up() -> None:
    with Neighbour(*range(100, 600)) as neighbour, brokered() as broker:
        remote = guest_of(broker, neighbour)
        before = descriptors()
        for _ in alone(broker, remote):
            first = netlink.dump(requests.TCP_LISTENERS, remote.namespace.connect)
            next(first)
            first.close()
            assert ports(remote) == list(range(100, 600))
        assert descriptors() == before


@pytest.mark.netns
def test_an_error_that_is_kept_keeps_no_socket_open() -> None:
    """A source remembers its last error, and an error the frames it went through."""
    with Neighbour(81) as neighbour, brokered() as broker:
        remote = guest_of(broker, neighbour)
        before = descriptors()
        with pytest.raises(ZeroDivisionError) as kept:
            _fail_with_the_socket(remote)
        assert kept.value.__traceback__ is not None
        assert descriptors() == before


def _fail_with_the_socket(remote: RemoteNamespace) -> None:
    with remote.namespace.connect() as lent:
        raise ZeroDivisionError(lent)


@pytest.mark.netns
def test_visits_that_end_half_way_leave_nothing_open() -> None:
    with Neighbour(81) as neighbour, brokered() as broker:
        remotes = [guest_of(broker, neighbour) for _ in range(8)]
        before = descriptors()
        for remote, error in attach_all(broker, [(remote, COUNTER_FILES) for remote in remotes]):
            assert error is None
            if remote is remotes[3]:
                break
        del remote
        assert descriptors() == before
        with pytest.raises(ZeroDivisionError):
            _fail_in_a_visit(broker, remotes)
        assert descriptors() == before


def _fail_in_a_visit(broker: BrokerClient, remotes: list[RemoteNamespace]) -> None:
    for remote, _ in attach_all(broker, [(remote, COUNTER_FILES) for remote in remotes]):
        raise ZeroDivisionError(remote)


@pytest.mark.netns
@pytest.mark.parametrize("stranger", [False, True])
def test_listeners_that_somebody_forged_are_counted_and_never_read(stranger: bool) -> None:  # noqa: FBT001
    """Whoever is root in a container may send to the broker's socket there until the exporter has it."""
    with Neighbour(81, stranger=stranger) as neighbour, brokered() as broker:
        remote = guest_of(broker, neighbour)
        (opened,) = broker.enter([remote.target])
        assert isinstance(opened, OpenedDescriptors)
        with socket.socket(fileno=os.dup(opened.diag)) as channel:
            target = channel.getsockname()
        flags = syscalls.CLONE_NEWNET | (syscalls.CLONE_NEWUSER if stranger else 0)
        rows = tcp_row(4711, length=99)
        inside(neighbour, lambda: _send(target, rows, rows + done(), done()), flags=flags)
        with remote.visited():
            remote.take(opened)
            assert remote.namespace.foreign_datagrams.datagrams == 3
            inside(neighbour, lambda: _refused(target, rows), flags=flags)
            assert ports(remote) == [81]
            assert ports(remote) == [81]
        assert remote.namespace.foreign_datagrams.datagrams == 3


def _send(target: tuple[int, int], *datagrams: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_SOCK_DIAG) as forger:
        for datagram in datagrams:
            forger.sendto(datagram, target)


def _refused(target: tuple[int, int], datagram: bytes) -> None:
    with pytest.raises(ConnectionRefusedError):
        _send(target, datagram)


@pytest.mark.netns
def test_this_kernel_has_cookies_if_a_socket_tells_one() -> None:
    with socket.socket(socket.AF_UNIX) as any_socket:
        assert have_cookies() is (cookie_of(any_socket) != 0)
    assert own_cookie()
