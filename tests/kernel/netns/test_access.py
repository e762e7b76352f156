"""Finding other namespaces, and attaching them."""

from __future__ import annotations

import os
import resource
import select
import signal
import socket
from contextlib import suppress
from functools import partial
from pathlib import Path

import pytest

from exporter.broker.wire import MAX_TARGETS, NamespaceTarget
from exporter.kernel.errors import BrokerUnavailableError, KernelError, NamespaceGoneError
from exporter.kernel.family import TCP
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.cookie import NO_COOKIE
from exporter.kernel.netns.end_watch import EndWatch, Watched
from exporter.kernel.netns.remote import RemoteNamespace
from exporter.kernel.procfs.counters import COUNTER_FILES
from exporter.kernel.records import Method
from testbed import namespace, programs
from testbed.waiting import equals, until
from tests.broker.broker_processes import (
    broker_of,
    open_one,
    running_broker,
    supervisor_of,
    wait_for_brokers,
)
from tests.broker.namespaced_process import (
    NamespacedProcess,
    descriptors,
    give_name,
    hide_named,
    run_inside,
    take_name,
    uptime_ticks,
)
from tests.broker.old_kernels import Linux52, Linux57, serve_on

pytestmark = pytest.mark.netns


def test_a_namespace_that_was_found_can_be_attached_and_read(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        access = NamespaceAccess(broker, tmp_path)
        refs = {ref.inode: ref for ref in access.find(0.0)}
        assert Path("/proc/self/ns/net").stat().st_ino not in refs
        remote = access.namespace("web", refs[process.inode].target)
        assert remote.namespace.name == "web"
        for attached, error in access.attach([(remote, ("net/snmp",))]):
            assert (attached, error) == (remote, None)
            changes = remote.namespace.listeners(TCP, Method.SOCK_DIAG).read(0.0)
            assert [listener.port for listener, _ in changes.opened] == ["81"]


def test_as_many_as_are_promised_can_be_attached_at_once(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        access = NamespaceAccess(broker, tmp_path)
        target = next(ref.target for ref in access.find(0.0) if ref.inode == process.inode)
        remotes = [(access.namespace(str(number), target), ()) for number in range(access.max_at_once)]
        assert access.max_at_once == MAX_TARGETS
        assert [error for _, error in access.attach(remotes)] == [None] * MAX_TARGETS


def test_brokers_that_ended_are_counted(tmp_path: Path) -> None:
    with running_broker() as broker:
        access = NamespaceAccess(broker, tmp_path)
        access.find(0.0)
        assert access.broker_restarts() == 0
        supervising = supervisor_of(os.getpid())
        os.kill(broker_of(supervising), signal.SIGKILL)
        until(lambda: restarts(access), equals(1))


def restarts(access: NamespaceAccess) -> int:
    """Ask the broker, which may be lost, and return how many have ended."""
    with suppress(BrokerUnavailableError):
        access.find(0.0)
    return access.broker_restarts()


def found(access: NamespaceAccess, process: NamespacedProcess) -> RemoteNamespace:
    """Find the namespace of a process."""
    (target,) = (ref.target for ref in access.find(0.0) if ref.inode == process.inode)
    return access.namespace(str(process.inode), target)


def attach(access: NamespaceAccess, *remotes: RemoteNamespace) -> list[KernelError | None]:
    """Attach namespaces with all files that sources read; return their errors."""
    return [error for _, error in access.attach([(remote, COUNTER_FILES) for remote in remotes])]


def ports(remote: RemoteNamespace) -> list[str]:
    """Read the ports of the listeners of a namespace."""
    changes = remote.namespace.listeners(TCP, Method.SOCK_DIAG).read(0.0)
    return sorted(listener.port for listener, _ in changes.opened)


def devices() -> list[str]:
    """List the network devices of the own namespace."""
    return [name for _, name in socket.if_nameindex()]


def test_what_stays_attached_is_read_without_the_broker(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        access = NamespaceAccess(broker, tmp_path)
        remote = found(access, process)
        assert attach(access, remote) == [None]
        assert remote.attached
        broker.close()
        for _ in range(3):
            assert ports(remote) == ["81"]
            assert remote.namespace.counters().listen_drops == 0
            assert remote.namespace.sysctls().somaxconn is not None
            with remote.borrow():
                pass
        access.detach(remote)
        with pytest.raises(BrokerUnavailableError):
            ports(remote)


def test_a_namespace_that_its_reader_has_closed_takes_no_place(tmp_path: Path) -> None:
    """As where another namespace is found in its place."""
    with (
        NamespacedProcess(81) as first,
        NamespacedProcess(82) as second,
        NamespacedProcess() as other,
        running_broker() as broker,
    ):
        access = NamespaceAccess(broker, tmp_path, max_kept=1)
        kept, waiting = found(access, first), found(access, second)
        assert attach(access, kept) == [None]
        # Attached anew it has the place that it had.
        assert attach(access, kept) == [None]
        assert [kept.attached, waiting.attached] == [True, False]
        kept.set_target(NamespaceTarget(pid=other.pid))
        assert [error.reason for error in attach(access, kept) if error] == ["replaced"]
        assert attach(access, waiting) == [None]
        assert [kept.attached, waiting.attached] == [False, True]
        waiting.detach()
        second.end()
        assert access.detach_ended() == []
        access.detach(waiting)
        kept.set_target(NamespaceTarget(pid=first.pid))
        assert attach(access, kept) == [None]
        first.end()
        until(access.detach_ended, equals([kept]))


def test_what_is_read_again_is_read_anew(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        access = NamespaceAccess(broker, tmp_path)
        remote = found(access, process)
        assert attach(access, remote) == [None]
        for number in (100, 7, 4000):
            run_inside(process, partial(namespace.write_sysctl, "net.core.somaxconn", number))
            assert remote.namespace.sysctls().somaxconn == number


def test_a_namespace_whose_process_ended_is_detached_and_leaves_its_devices(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, NamespacedProcess(82) as other, running_broker() as broker:
        pid = process.pid
        programs.output(
            "ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(pid)
        )
        access = NamespaceAccess(broker, tmp_path)
        remotes = [found(access, process), found(access, other)]
        before = descriptors()
        assert attach(access, *remotes) == [None, None]
        assert access.detach_ended() == []
        process.end()
        until(lambda: select.select([access.ended_descriptor()], [], [], 0)[0], bool)
        assert "here" in devices()
        assert access.detach_ended() == [remotes[0]]
        assert not remotes[0].attached
        until(devices, lambda names: "here" not in names)
        assert access.detach_ended() == []
        assert not select.select([access.ended_descriptor()], [], [], 0)[0]
        assert ports(remotes[1]) == ["82"]
        access.detach(remotes[1])
        assert descriptors() == before


def test_a_namespace_whose_name_is_removed_is_detached() -> None:
    hide_named()
    with NamespacedProcess(81) as process, running_broker() as broker:
        give_name("web", process.pid)
        access = NamespaceAccess(broker)
        remote = found(access, process)
        assert remote.target.name == b"web"
        before = descriptors()
        assert attach(access, remote) == [None]
        process.end()
        assert access.detach_ended() == []
        take_name("web")
        assert access.detach_ended() == [remote]
        assert descriptors() == before


def test_no_more_stay_attached_than_the_limit_of_open_files_allows(tmp_path: Path) -> None:
    with (
        NamespacedProcess(81) as first,
        NamespacedProcess(82) as second,
        NamespacedProcess(83) as third,
        running_broker() as broker,
    ):
        access = NamespaceAccess(broker, tmp_path, max_kept=2)
        remotes = [found(access, each) for each in (first, second, third)]
        assert attach(access, *remotes) == [None] * 3
        assert [remote.attached for remote in remotes] == [True, True, False]
        assert [access.keeps(count) for count in (1, 2, 3)] == [True, True, False]
        # The others are read as well, each time by way of the broker.
        assert [ports(remote) for remote in remotes] == [["81"], ["82"], ["83"]]
        access.detach(remotes[0])
        assert attach(access, remotes[2]) == [None]
        assert remotes[2].attached


def test_the_limit_of_open_files_leaves_some_for_everything_else(tmp_path: Path) -> None:
    with running_broker() as broker:
        limits = resource.getrlimit(resource.RLIMIT_NOFILE)
        for soft, kept in ((256, 0), (640, 0), (640 + 12 * 7, 7), (1024, 32), (12 * 200, 100)):
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, limits[1]))
            assert NamespaceAccess(broker, tmp_path).max_kept == kept
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_attaching_again_keeps_nothing_of_before(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        access = NamespaceAccess(broker, tmp_path)
        remote = found(access, process)
        assert attach(access, remote) == [None]
        once = descriptors()
        for _ in range(3):
            access.detach(remote)
            assert attach(access, remote) == [None]
        assert descriptors() == once
        assert access.detach_ended() == []


def test_the_watch_ends_once_when_nothing_is_kept_any_more(tmp_path: Path) -> None:
    asked: list[int] = []

    class Client(BrokerClient):
        def set_watchdog(self, seconds: int) -> None:
            asked.append(seconds)

    with NamespacedProcess(81) as process, running_broker(client=Client) as broker:
        access = NamespaceAccess(broker, tmp_path)
        access.disable_watchdog()
        remote = found(access, process)
        assert attach(access, remote) == [None]
        # From the first that is kept on, without waiting for the next look.
        assert asked == [0, 15]
        access.find(1.0)
        access.disable_watchdog()
        access.detach(remote)
        assert asked == [0, 15, 15, 15]
        access.disable_watchdog()
        access.disable_watchdog()
        assert asked == [0, 15, 15, 15, 0]


def test_the_watch_ends_later_where_the_broker_cannot_be_told(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        access = NamespaceAccess(broker, tmp_path)
        remote = found(access, process)
        assert attach(access, remote) == [None]
        access.find(1.0)
        access.detach(remote)
        broker.close()
        access.disable_watchdog()


class RefusedWatch(EndWatch):
    """One where the kernel has no watch left."""

    def add(self, watched: Watched) -> None:
        raise KernelError(f"cannot watch namespace {watched.path_name!r}", "ENOSPC")


def test_what_cannot_be_watched_does_not_stay_attached(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        access = NamespaceAccess(broker, tmp_path, ends=RefusedWatch(tmp_path))
        remote = found(access, process)
        before = descriptors()
        assert attach(access, remote) == [None]
        assert not remote.attached
        assert descriptors() == before


def test_what_its_reader_has_closed_takes_no_place_of_another(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, NamespacedProcess(82) as other, running_broker() as broker:
        access = NamespaceAccess(broker, tmp_path, max_kept=1)
        closed, kept = found(access, process), found(access, other)
        for remote, _ in access.attach([(closed, ()), (kept, ())]):
            if remote is closed:
                remote.detach()
        assert not closed.attached
        assert kept.attached
        access.detach(kept)


def test_a_file_that_was_not_there_is_asked_for_again_only_after_the_namespace_was_detached(
    tmp_path: Path,
) -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        remote = found(NamespaceAccess(broker, tmp_path), process)
        # As where the broker was asked for it and could not open it.
        remote.attach(open_one(broker, remote.target), ("net/netstat",))
        with pytest.raises(FileNotFoundError):
            remote.open("net/netstat")
        remote.detach()
        os.close(remote.open("net/netstat"))


def test_a_file_that_was_read_while_the_namespace_is_not_attached_is_closed(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        remote = found(NamespaceAccess(broker, tmp_path), process)
        before = descriptors()
        remote.close("net/netstat", remote.open("net/netstat"))
        assert descriptors() == before


def test_where_setns_takes_no_pidfd_a_namespace_stays_open_until_its_process_ends(tmp_path: Path) -> None:
    with NamespacedProcess(81) as process, running_broker(serve=partial(serve_on, Linux57())) as broker:
        access = NamespaceAccess(broker, tmp_path)
        remote = found(access, process)
        before = descriptors()
        assert attach(access, remote) == [None]
        assert remote.attached
        process.end()
        until(access.detach_ended, equals([remote]))
        assert descriptors() == before


def test_where_nothing_tells_of_the_end_of_a_process_nothing_stays_open(tmp_path: Path) -> None:
    """Before Linux 5.3 there is no pidfd, so each sample enters the namespace anew."""
    with NamespacedProcess(81) as process, running_broker(serve=partial(serve_on, Linux52())) as broker:
        programs.output(
            "ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(process.pid)
        )
        access = NamespaceAccess(broker, tmp_path)
        remote = found(access, process)
        before = descriptors()
        for _ in range(3):
            for attached, error in access.attach([(remote, COUNTER_FILES)]):
                assert (attached, error) == (remote, None)
                assert ports(remote) == ["81"]
                assert remote.namespace.sysctls().somaxconn is not None
            assert not remote.attached
            assert descriptors() == before
        process.end()
        until(devices, lambda names: "here" not in names)
        assert access.detach_ended() == []


def test_without_pidfds_a_namespace_with_a_name_stays_open_all_the_same() -> None:
    hide_named()
    with NamespacedProcess(81) as process, running_broker(serve=partial(serve_on, Linux52())) as broker:
        give_name("web", process.pid)
        access = NamespaceAccess(broker)
        remote = found(access, process)
        assert attach(access, remote) == [None]
        assert remote.attached
        take_name("web")
        assert access.detach_ended() == [remote]


def test_without_cookies_a_process_that_got_the_number_of_another_is_entered_soon(tmp_path: Path) -> None:
    with running_broker() as broker:
        wait_for_brokers()
        access = NamespaceAccess(broker, tmp_path, read_cookie=lambda _: NO_COOKIE)
        with NamespacedProcess(81) as process:
            pid, started = process.pid, process.started()
            first = found(access, process)
            assert attach(access, first) == [None]
        until(access.detach_ended, equals([first]))
        until(uptime_ticks, lambda ticks: ticks > started + 2)
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        with NamespacedProcess(82) as other:
            assert other.pid == pid
            # When it started was read of the one before, where its namespace had this number too.
            stale = found(access, other)
            if stale.target.started == started:
                assert [type(error) for error in attach(access, stale)] == [NamespaceGoneError]
            fresh = found(access, other)
            assert fresh.target.started == other.started()
            assert attach(access, fresh) == [None]
            assert ports(fresh) == ["82"]
