"""Which namespaces are found, and by what each is entered."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from exporter.broker.capabilities import Capability, keep_only
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import BrokerUnavailableError, KernelError
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.discovery import Discovery, NamespaceRef
from exporter.kernel.netns.opened import OpenedDescriptors
from testbed import privileges, syscalls
from testbed.waiting import equals, until
from tests.broker.broker_processes import open_one, running_broker, wait_for_brokers
from tests.broker.namespaced_process import (
    NamespacedProcess,
    give_name,
    hide_named,
    take_name,
    uptime_ticks,
)
from tests.kernel.limits import no_free_descriptor

pytestmark = pytest.mark.netns


def found(broker: BrokerClient, *, cookies: bool = True) -> dict[int, NamespaceRef]:
    """Return what is found, by inode; each namespace is there once."""
    refs = Discovery(broker, cookies=cookies).find(0.0)
    assert len({ref.inode for ref in refs}) == len(refs)
    return {ref.inode: ref for ref in refs}


def test_a_namespace_of_a_process_is_found_and_the_own_one_is_not() -> None:
    own = Path("/proc/self/ns/net").stat().st_ino
    hide_named()
    with NamespacedProcess() as process, running_broker() as broker:
        refs = found(broker)
        target = NamespaceTarget(pid=process.pid, inode=process.inode)
        assert refs[process.inode] == NamespaceRef(process.inode, b"", target, process.pid)
        assert own not in refs
        give_name("own", os.getpid())
        assert own not in found(broker)
        process.end()
        assert process.inode not in found(broker)


@pytest.mark.parametrize("kind", ["uts", "ipc", "pid", "user", "cgroup", "time"])
def test_a_namespace_of_another_kind_under_run_netns_is_none(kind: str) -> None:
    hide_named()
    file = Path("/run/netns/other")
    file.touch()
    syscalls.mount_same(f"/proc/self/ns/{kind}", str(file))
    with NamespacedProcess() as process, running_broker() as broker:
        give_name("web", process.pid)
        refs = found(broker)
        assert file.lstat().st_ino not in refs
        assert refs[process.inode].name == b"web"


def test_a_name_that_is_given_to_a_network_namespace_later_is_one() -> None:
    """It is looked at once, and again where another is mounted in its place."""
    hide_named()
    file = Path("/run/netns/web")
    file.touch()
    syscalls.mount_same("/proc/self/ns/uts", str(file))
    with NamespacedProcess() as process, running_broker() as broker:
        discovery = Discovery(broker)
        assert b"web" not in [ref.name for ref in discovery.find(0.0)]
        syscalls.unmount(str(file))
        syscalls.mount_same(f"/proc/{process.pid}/ns/net", str(file))
        assert [ref.inode for ref in discovery.find(1.0) if ref.name == b"web"] == [process.inode]


def test_a_namespace_with_a_name_is_entered_by_its_name_also_without_a_process() -> None:
    hide_named()
    with NamespacedProcess() as process, running_broker() as broker:
        give_name("web", process.pid)
        target = NamespaceTarget(name=b"web", inode=process.inode)
        expected = NamespaceRef(process.inode, b"web", target, process.pid)
        assert found(broker)[process.inode] == expected
        process.end()
        assert found(broker)[process.inode] == replace(expected, pid=0)
        open_one(broker, expected.target).close()
        take_name("web")
        assert process.inode not in found(broker)


def test_of_several_names_the_first_is_used() -> None:
    hide_named()
    with NamespacedProcess() as process, running_broker() as broker:
        for name in ("b", "a", "c"):
            give_name(name, process.pid)
        assert found(broker)[process.inode].name == b"a"
        assert list(found(broker)).count(process.inode) == 1


def test_a_name_may_have_any_bytes() -> None:
    hide_named()
    name = b"\xff \n\\"
    with NamespacedProcess() as process, running_broker() as broker:
        give_name(os.fsdecode(name), process.pid)
        ref = found(broker)[process.inode]
        target = NamespaceTarget(name=name, inode=process.inode)
        assert ref == NamespaceRef(process.inode, name, target, process.pid)
        open_one(broker, ref.target).close()


def test_a_file_that_is_no_mount_of_a_namespace_is_none() -> None:
    hide_named()
    with NamespacedProcess() as process, running_broker() as broker:
        named = Path("/run/netns")
        (named / "left-over").touch()
        (named / "folder").mkdir()
        (named / "dangling").symlink_to("/nowhere")
        refs = found(broker)
        assert {ref.name for ref in refs.values()} == {b""}
        assert process.inode in refs


def test_a_namespace_with_a_link_to_it_is_entered_by_its_process() -> None:
    """Such a link shows a container to `ip netns`; the broker does not follow it."""
    hide_named()
    with NamespacedProcess() as process, running_broker() as broker:
        Path("/run/netns/container").symlink_to(f"/proc/{process.pid}/ns/net")
        keep_only(())
        ref = found(broker)[process.inode]
        target = NamespaceTarget(pid=process.pid, inode=process.inode)
        assert ref == NamespaceRef(process.inode, b"", target, process.pid)
        open_one(broker, ref.target).close()


def test_without_the_directory_there_are_no_names(tmp_path: Path) -> None:
    with NamespacedProcess() as process, running_broker() as broker:
        refs = {ref.inode: ref for ref in Discovery(broker, tmp_path / "missing", cookies=True).find(0.0)}
        assert refs[process.inode].target == NamespaceTarget(pid=process.pid, inode=process.inode)


def test_a_directory_of_names_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "netns").touch()
    with running_broker() as broker, pytest.raises(KernelError) as refused:
        Discovery(broker, tmp_path / "netns").find(0.0)
    assert (refused.value.reason, refused.value.errno) == ("ENOTDIR", errno.ENOTDIR)


def test_a_directory_that_only_root_may_read_is_read_by_the_broker() -> None:
    """As where root has the umask 077 and makes the first name."""
    hide_named()
    with NamespacedProcess() as process, running_broker() as broker:
        for number in range(300):
            give_name(f"name-{number:03}", process.pid)
        Path("/run/netns/no-namespace").touch()
        Path("/run/netns").chmod(0o700)
        assert len({named.name for named in broker.names()}) == 300
        with privileges.without_root():
            ref = found(broker)[process.inode]
        assert ref.name == b"name-000"
        open_one(broker, ref.target).close()


def test_where_namespaces_have_no_cookies_a_target_has_the_start_of_its_process() -> None:
    with NamespacedProcess() as process, running_broker() as broker:
        target = NamespaceTarget(process.pid, process.started(), inode=process.inode)
        assert found(broker, cookies=False)[process.inode].target == target
        open_one(broker, target).close()
        assert found(broker, cookies=True)[process.inode].target.started == 0


def test_where_namespaces_have_no_cookies_a_name_that_is_given_again_is_another_target() -> None:
    hide_named()
    with NamespacedProcess() as first, NamespacedProcess() as second, running_broker() as broker:
        give_name("web", first.pid)
        finding = Discovery(broker, cookies=False)
        refs = finding.find(0.0)
        (before,) = (ref.target for ref in refs if ref.name == b"web")
        open_one(broker, before).close()
        first.end()
        # What happens to the namespace changes nothing.
        open_one(broker, before).close()
        assert [ref.target for ref in finding.find(1.0) if ref.name == b"web"] == [before]
        take_name("web")
        give_name("web", second.pid)
        with pytest.raises(FileNotFoundError):
            open_one(broker, before)
        (after,) = (ref.target for ref in finding.find(2.0) if ref.name == b"web")
        assert after.name == before.name
        assert after != before
        open_one(broker, after).close()
        target = NamespaceTarget(name=b"web", inode=second.inode)
        assert found(broker, cookies=True)[second.inode].target == target


def test_a_number_that_another_process_has_got_is_looked_at_again_when_it_is_forgotten() -> None:
    with NamespacedProcess() as process, running_broker() as broker:
        pid, started = process.pid, process.started()
        wait_for_brokers()
        finding = Discovery(broker, cookies=False)
        target = NamespaceTarget(pid, started, inode=process.inode)
        assert found_target(finding, process) == target
        process.end()
        until(uptime_ticks, lambda ticks: ticks > started + 2)
        until(Path(f"/proc/{pid}").exists, equals(wanted=False))
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(pid - 1))
        with NamespacedProcess() as other:
            assert other.pid == pid
            until(lambda: found_target(finding, other), lambda target: target is not None)
            finding.forget(target)
            assert found_target(finding, other) == NamespaceTarget(pid, other.started(), inode=other.inode)


def found_target(finding: Discovery, process: NamespacedProcess) -> NamespaceTarget | None:
    """Look once more, and return the target of the namespace of a process."""
    return next((ref.target for ref in finding.find(0.0) if ref.inode == process.inode), None)


class Late(BrokerClient):
    """A broker whose lists are those of before."""

    def __init__(self, channel: socket.socket, **arguments: Any) -> None:
        super().__init__(channel, **arguments)
        self.listed: list[int] = []
        self.seen: dict[int, int] = {}

    def pids(self) -> list[int]:
        """Return the first list each time."""
        self.listed = self.listed or super().pids()
        return self.listed

    def namespaces(self, pids: Sequence[int]) -> dict[int, int]:
        """Return the first list each time."""
        self.seen = self.seen or super().namespaces(pids)
        return self.seen


def test_a_process_that_has_ended_gets_a_start_that_no_process_has() -> None:
    with NamespacedProcess() as process, running_broker(client=Late) as broker:
        ended = process.pid
        broker.namespaces(broker.pids())
        process.end()
        ref = found(broker, cookies=False)[process.inode]
        assert ref.target == NamespaceTarget(ended, 1, inode=ref.inode)
        (refused,) = broker.enter([ref.target])
        assert not isinstance(refused, OpenedDescriptors)
        assert refused.errno == errno.ESRCH


def test_the_namespace_of_a_process_that_may_not_be_traced_is_not_found() -> None:
    with NamespacedProcess() as process, running_broker({Capability.SYS_ADMIN}) as broker:
        assert process.inode not in found(broker)


def test_a_lost_broker_is_raised() -> None:
    def fail(channel: socket.socket) -> None:
        if channel.recv(100):
            raise RuntimeError

    with running_broker(serve=fail) as broker:
        with pytest.raises(BrokerUnavailableError) as lost:
            Discovery(broker).find(0.0)
        assert lost.value.reason == "broker"
        assert str(lost.value).startswith("cannot list the processes: the broker ended")


def test_without_a_free_descriptor_it_is_a_kernel_error() -> None:
    with running_broker() as broker:
        finding = Discovery(broker)
        with no_free_descriptor(), pytest.raises(KernelError) as failed:
            finding.find(0.0)
        assert (type(failed.value), failed.value.errno) == (KernelError, errno.EMFILE)


def test_one_that_comes_or_goes_is_noticed_and_else_the_answer_is_the_same_list() -> None:
    hide_named()
    with NamespacedProcess() as process, running_broker() as broker:
        discovery = Discovery(broker)

        def names() -> set[bytes]:
            return {ref.name for ref in discovery.find(0.0) if ref.inode == process.inode}

        assert names() == {b""}
        give_name("web", process.pid)
        assert names() == {b"web"}
        take_name("web")
        assert names() == {b""}
        with NamespacedProcess() as other:
            assert other.inode in {ref.inode for ref in discovery.find(0.0)}
        refs = discovery.find(0.0)
        assert other.inode not in {ref.inode for ref in refs}
