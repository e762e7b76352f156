"""Another namespace: what is read belongs to it, and nothing of it stays open."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial

import pytest

from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import (
    BrokerUnavailableError,
    KernelError,
    NamespaceGoneError,
    NamespaceReplacedError,
    UnavailableError,
)
from exporter.kernel.family import TCP
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.cookie import NO_COOKIE
from exporter.kernel.netns.opened import OpenedDescriptors
from exporter.kernel.netns.remote import RemoteNamespace, attach_all
from exporter.kernel.procfs.counters import COUNTER_FILES
from exporter.kernel.records import UNCHANGED, Method
from exporter.kernel.sock_diag.diag_socket import NETLINK_SOCK_DIAG
from exporter.kernel.sock_diag.dump import dump
from testbed import namespace, programs, syscalls
from testbed.waiting import until
from tests.broker.broker_processes import broker_of, running_broker, supervisor_of
from tests.broker.namespaced_process import (
    NamespacedProcess,
    descriptors,
    give_name,
    hide_named,
    run_inside,
    take_name,
)
from tests.kernel.datagrams import done, tcp_row
from tests.kernel.limits import no_free_descriptor

pytestmark = pytest.mark.netns


class CountingClient(BrokerClient):
    """A client that counts its requests to enter namespaces."""

    entered = 0

    def enter(self, targets: Sequence[NamespaceTarget]) -> Iterator[OpenedDescriptors | OSError]:
        """Count one more."""
        self.entered += 1
        return super().enter(targets)


class NoFilesClient(BrokerClient):
    """A client to which the broker opens no file, as where a namespace has none."""

    def enter(self, targets: Sequence[NamespaceTarget]) -> Iterator[OpenedDescriptors | OSError]:
        """Ask for the sockets alone."""
        return super().enter([replace(target, files=()) for target in targets])


def set_backlogs(number: int) -> None:
    namespace.write_sysctl("net.core.somaxconn", number)


def remote_of(broker: BrokerClient, process: NamespacedProcess) -> RemoteNamespace:
    return RemoteNamespace(broker, str(process.inode), NamespaceTarget(pid=process.pid))


def ports(remote: RemoteNamespace) -> list[int]:
    """Return the ports of its listeners, read anew."""
    opened = remote.namespace.listeners(TCP, Method.SOCK_DIAG).read(0.0).opened
    return sorted(int(listener.port) for listener, _ in opened)


def attach(
    broker: BrokerClient, remote: RemoteNamespace, files: Collection[str] = ()
) -> Iterator[KernelError | None]:
    """Attach one namespace."""
    for _, error in attach_all(broker, [(remote, files)]):
        yield error


def test_each_namespace_that_is_attached_is_read() -> None:
    set_backlogs(300)
    with (
        socket.create_server(("127.0.0.1", 80)),
        NamespacedProcess(81, prepare=lambda: set_backlogs(71)) as first,
        NamespacedProcess(82, 83, prepare=lambda: set_backlogs(72)) as second,
        running_broker() as broker,
    ):
        remotes = [remote_of(broker, first), remote_of(broker, second)]
        read = []
        for remote, error in attach_all(broker, [(remote, COUNTER_FILES) for remote in remotes]):
            assert error is None
            counters = remote.namespace.counters()
            read.append((ports(remote), remote.namespace.sysctls().somaxconn, counters.listen_drops))
        assert read == [([81], 71, 0), ([82, 83], 72, 0)]
        assert [remote.cookie for remote in remotes] == [first.cookie, second.cookie]
        assert all(remote.broker_seconds > 0 for remote in remotes)


def test_what_is_missing_is_opened_and_disturbs_no_other_namespace() -> None:
    with (
        NamespacedProcess(81) as first,
        NamespacedProcess(82) as second,
        NamespacedProcess(83) as third,
        running_broker() as broker,
    ):
        remotes = [remote_of(broker, each) for each in (first, second, third)]
        read = []
        before = descriptors()
        for remote, error in attach_all(broker, [(remote, COUNTER_FILES) for remote in remotes]):
            assert error is None
            port = 81 + remotes.index(remote)
            assert f":{port:04X} ".encode() in remote.namespace.files.read("net/tcp")
            # The socket is closed after an error, and another one is opened.
            with pytest.raises(ZeroDivisionError), remote.borrow():
                raise ZeroDivisionError
            remote.namespace.counters()
            read.append(ports(remote))
        assert read == [[81], [82], [83]]
        assert descriptors() == before


def test_a_file_that_is_opened_later_takes_no_other_socket() -> None:
    """Until it is connected, root of the namespace could send to it."""
    with NamespacedProcess(81) as process, running_broker() as broker:
        remote = remote_of(broker, process)
        assert list(attach_all(broker, [(remote, ())], lambda _remote: True)) == [(remote, None)]
        with remote.borrow() as first:
            pass
        assert b"0051 " in remote.namespace.files.read("net/tcp")
        with remote.borrow() as second:
            assert second is first
        remote.detach()


def test_what_is_open_stays_so_while_attached() -> None:
    with NamespacedProcess(81) as process, running_broker(client=CountingClient) as broker:
        assert isinstance(broker, CountingClient)
        remote = remote_of(broker, process)
        for error in attach(broker, remote, COUNTER_FILES):
            assert error is None
            remote.namespace.files.read("net/tcp")
            assert broker.entered == 2
            remote.namespace.counters()
            remote.namespace.sysctls()
            ports(remote)
            ports(remote)
            assert broker.entered == 2


def listen_on_interface(index: int) -> None:
    """Listen on port 82 of an interface with this index, until the process ends."""
    veth = ("type", "veth", "peer", "name", "peer")
    programs.output("ip", "link", "add", "tap0", "index", str(index), *veth)
    bound = socket.create_server(("0.0.0.0", 82))
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"tap0\0")
    bound.detach()


def test_the_interface_of_a_listener_is_named_by_the_socket_that_is_open() -> None:
    veth = ("type", "veth", "peer", "name", "peer")
    programs.output("ip", "link", "add", "here", "index", "70", *veth)
    with (
        NamespacedProcess(81, prepare=lambda: listen_on_interface(70)) as process,
        running_broker(client=CountingClient) as broker,
    ):
        assert isinstance(broker, CountingClient)
        remote = remote_of(broker, process)
        reader = remote.namespace.listeners(TCP, Method.SOCK_DIAG)
        for error in attach(broker, remote):
            assert error is None
            opened = {listener.address for listener, _ in reader.read(0.0).opened}
            assert opened == {"127.0.0.1", "0.0.0.0%tap0"}
            for now in (1.0, 1.5, 2.0, 3.0):
                assert reader.read(now) is UNCHANGED
            assert broker.entered == 1
        # Also where it is not attached.
        rename = partial(programs.output, "ip", "link", "set", "tap0", "name", "vnet1")
        run_inside(process, rename)
        changes = reader.read(4.0)
        assert [listener.address for listener, _ in changes.opened] == ["0.0.0.0%vnet1"]
        assert len(changes.closed) == 1


def test_a_namespace_that_is_gone_has_its_error_and_the_others_are_attached() -> None:
    with NamespacedProcess(81) as process, NamespacedProcess() as ended, running_broker() as broker:
        remotes = [
            remote_of(broker, ended),
            remote_of(broker, process),
            RemoteNamespace(broker, "missing", NamespaceTarget(name=b"missing")),
        ]
        ended.end()
        found = [
            (type(error), error.reason if error else "", [] if error else ports(remote))
            for remote, error in attach_all(broker, [(remote, ()) for remote in remotes])
        ]
        assert found == [
            (NamespaceGoneError, "ESRCH", []),
            (type(None), "", [81]),
            (NamespaceGoneError, "ENOENT", []),
        ]


def test_a_namespace_that_may_not_be_entered_has_the_errno() -> None:
    with NamespacedProcess(81) as process, running_broker(capabilities=()) as broker:
        remote = remote_of(broker, process)
        (error,) = attach(broker, remote)
        assert isinstance(error, UnavailableError)
        assert error.errno == errno.EPERM


def test_a_lost_broker_is_raised() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    broker = BrokerClient(ours)
    theirs.close()
    remote = RemoteNamespace(broker, "a", NamespaceTarget(pid=1))
    calls: list[Callable[[], object]] = [
        lambda: list(attach(broker, remote)),
        lambda: ports(remote),
        remote.namespace.counters,
    ]
    for call in calls:
        with pytest.raises(BrokerUnavailableError) as lost:
            call()
        assert lost.value.reason == "broker"
    broker.close()


def test_another_namespace_with_the_same_name_is_refused_and_not_read() -> None:
    hide_named()
    with NamespacedProcess(81) as first, NamespacedProcess(82) as second, running_broker() as broker:
        give_name("web", first.pid)
        remote = RemoteNamespace(broker, "web", NamespaceTarget(name=b"web"))
        for error in attach(broker, remote, COUNTER_FILES):
            assert error is None
            assert ports(remote) == [81]
        take_name("web")
        give_name("web", second.pid)
        before = descriptors()
        errors = list(attach(broker, remote, COUNTER_FILES))
        assert [(type(error), error.reason if error else "") for error in errors] == [
            (NamespaceReplacedError, "replaced")
        ]
        for call in (lambda: ports(remote), remote.namespace.counters):
            with pytest.raises(NamespaceReplacedError):
                call()
        assert descriptors() == before
        assert remote.cookie == first.cookie


def test_another_namespace_behind_another_process_is_refused() -> None:
    with NamespacedProcess(81) as first, NamespacedProcess(82) as second, running_broker() as broker:
        remote = remote_of(broker, first)
        assert ports(remote) == [81]
        remote.set_target(NamespaceTarget(pid=second.pid))
        assert [error.reason for error in attach(broker, remote) if error] == ["replaced"]
        # Another process of the same namespace would do.
        remote.set_target(NamespaceTarget(pid=first.pid))
        assert list(attach(broker, remote)) == [None]


def no_cookie(_: socket.socket) -> int:
    """What a kernel before 5.14 answers."""
    return NO_COOKIE


def test_without_cookies_another_process_or_name_is_another_namespace() -> None:
    """The number of a namespace that is gone is soon given to the next, so it may be another."""
    hide_named()
    with NamespacedProcess(81) as process, running_broker() as broker:
        give_name("web", process.pid)
        for target in (NamespaceTarget(pid=os.getpid()), NamespaceTarget(name=b"web")):
            by_process = NamespaceTarget(pid=process.pid, started=process.started())
            remote = RemoteNamespace(broker, "a", by_process, no_cookie)
            before = descriptors()
            for _ in range(2):
                for error in attach(broker, remote, COUNTER_FILES):
                    assert error is None
                    assert ports(remote) == [81]
            assert remote.cookie == NO_COOKIE
            remote.set_target(target)
            assert [error.reason for error in attach(broker, remote) if error] == ["replaced"]
            # It was lost sight of, also where the first target comes back.
            remote.set_target(by_process)
            assert [error.reason for error in attach(broker, remote) if error] == ["replaced"]
            with pytest.raises(NamespaceReplacedError):
                ports(remote)
            assert descriptors() == before


def test_without_cookies_a_target_may_change_before_anything_was_read() -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        remote = RemoteNamespace(broker, "a", NamespaceTarget(pid=2**31 - 1), no_cookie)
        assert [type(error) for error in attach(broker, remote)] == [NamespaceGoneError]
        remote.set_target(NamespaceTarget(pid=process.pid, started=process.started()))
        assert list(attach(broker, remote)) == [None]


def test_while_not_attached_each_request_opens_and_closes_what_it_needs() -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        pid = process.pid
        programs.output(
            "ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(pid)
        )
        remote = remote_of(broker, process)

        def use() -> None:
            assert ports(remote) == [81]
            remote.namespace.counters()
            assert remote.namespace.mptcp_inodes() == frozenset()
            with pytest.raises(ValueError, match="not in tuple"):
                remote.namespace.files.read("net/raw")

        use()
        # The broker closes its own copies after it has answered, and before it answers the next request.
        broker.pids()
        brokering = broker_of(supervisor_of(os.getpid()))
        before = descriptors(), descriptors(brokering)
        for _ in range(30):
            use()
        until(lambda: (descriptors(), descriptors(brokering)), lambda now: now == before)
        process.end()
        until(socket.if_nameindex, lambda found: "here" not in [name for _, name in found])


def test_a_file_that_does_not_exist_is_unavailable_and_nothing_stays_open() -> None:
    with NamespacedProcess(81) as process, running_broker(client=NoFilesClient) as broker:
        remote = remote_of(broker, process)
        before = descriptors()
        for _ in range(3):
            with pytest.raises(UnavailableError) as missing:
                remote.namespace.files.read("net/tcp")
            assert missing.value.errno == errno.ENOENT
        assert descriptors() == before


@pytest.mark.parametrize("spare", [0, 1, len(COUNTER_FILES)])
def test_without_a_free_descriptor_it_is_a_kernel_error_and_nothing_stays_open(spare: int) -> None:
    """Not an UnavailableError: what could not be received now may be the next time."""
    with NamespacedProcess(81) as process, running_broker() as broker:
        remote = remote_of(broker, process)
        before = descriptors()
        with no_free_descriptor(spare):
            (error,) = attach(broker, remote, COUNTER_FILES)
        with no_free_descriptor(min(spare, 1)), pytest.raises(KernelError) as failed:
            remote.namespace.counters()
        for each in (error, failed.value):
            assert type(each) is KernelError
            assert each.errno == errno.EMFILE
        assert descriptors() == before
        assert list(attach(broker, remote, COUNTER_FILES)) == [None]


def test_a_dump_that_is_left_before_its_end_gives_its_socket_up() -> None:
    with NamespacedProcess(*range(100, 600)) as process, running_broker() as broker:
        remote = remote_of(broker, process)
        before = descriptors()
        for _ in attach(broker, remote):
            with closing(dump(TCP.rows.requests[0], remote)) as left:
                next(left)
            assert ports(remote) == list(range(100, 600))
        assert descriptors() == before


def test_an_error_that_is_kept_keeps_no_socket_open() -> None:
    """A source keeps its last error, and an error its frames."""
    with NamespacedProcess(81) as process, running_broker() as broker:
        remote = remote_of(broker, process)
        before = descriptors()
        with pytest.raises(ZeroDivisionError) as kept:
            _fail_with_the_socket(remote)
        assert kept.value.__traceback__ is not None
        assert descriptors() == before


def _fail_with_the_socket(remote: RemoteNamespace) -> None:
    with remote.borrow() as channel:
        raise ZeroDivisionError(channel)


def test_when_attaching_ends_early_nothing_stays_open() -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        remotes = [remote_of(broker, process) for _ in range(8)]
        before = descriptors()
        for remote, error in attach_all(broker, [(remote, COUNTER_FILES) for remote in remotes]):
            assert error is None
            if remote is remotes[3]:
                break
        del remote
        assert descriptors() == before
        with pytest.raises(ZeroDivisionError):
            _fail_while_attached(broker, remotes)
        assert descriptors() == before


def _fail_while_attached(broker: BrokerClient, remotes: list[RemoteNamespace]) -> None:
    for remote, _ in attach_all(broker, [(remote, COUNTER_FILES) for remote in remotes]):
        raise ZeroDivisionError(remote)


@pytest.mark.parametrize("user_namespace", [False, True])
def test_datagrams_of_others_are_counted_and_not_read(user_namespace: bool) -> None:  # noqa: FBT001
    """Root in a container may send to the broker's socket until the exporter has it."""
    with (
        NamespacedProcess(81, user_namespace=user_namespace) as process,
        running_broker() as broker,
    ):
        remote = remote_of(broker, process)
        (opened,) = broker.enter([remote.target])
        assert isinstance(opened, OpenedDescriptors)
        released = opened.release()
        with socket.socket(fileno=os.dup(released.diag)) as channel:
            address = channel.getsockname()
        flags = syscalls.CLONE_NEWNET | (syscalls.CLONE_NEWUSER if user_namespace else 0)
        rows = tcp_row(4711, length=99)
        run_inside(process, lambda: _send(address, rows, rows + done(), done()), flags=flags)
        remote.attach(OpenedDescriptors(released, 0.0))
        assert remote.namespace.foreign_datagrams.count == 3
        run_inside(process, lambda: _refused(address, rows), flags=flags)
        assert ports(remote) == [81]
        assert ports(remote) == [81]
        remote.detach()
        assert remote.namespace.foreign_datagrams.count == 3


def _send(address: tuple[int, int], *datagrams: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, NETLINK_SOCK_DIAG) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, address)


def _refused(address: tuple[int, int], datagram: bytes) -> None:
    with pytest.raises(ConnectionRefusedError):
        _send(address, datagram)
