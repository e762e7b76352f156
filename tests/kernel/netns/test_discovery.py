"""Which namespaces are found, and by what each is entered."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from exporter.broker.capabilities import Capability, keep_only
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import BrokerUnavailableError, KernelError
from exporter.kernel.netns.broker_client import BrokerClient, OpenedDescriptors
from exporter.kernel.netns.discovery import Discovery, NamespaceRef
from tests.broker.broker_processes import open_one, running_broker
from tests.broker.namespaced_process import NamespacedProcess, give_name, hide_named, take_name
from tests.kernel.limits import no_free_descriptor

pytestmark = pytest.mark.netns


def found(broker: BrokerClient, *, cookies: bool | None = None) -> dict[int, NamespaceRef]:
    """Return what is found, by inode; each namespace is there once."""
    refs = Discovery(broker, cookies=cookies).find()
    assert len({ref.inode for ref in refs}) == len(refs)
    return {ref.inode: ref for ref in refs}


def test_a_namespace_of_a_process_is_found_and_the_own_one_is_not() -> None:
    own = Path("/proc/self/ns/net").stat().st_ino
    hide_named()
    with NamespacedProcess() as process, running_broker() as broker:
        refs = found(broker)
        assert refs[process.inode] == NamespaceRef(process.inode, b"", NamespaceTarget(pid=process.pid))
        assert own not in refs
        give_name("own", os.getpid())
        assert own not in found(broker)
        process.end()
        assert process.inode not in found(broker)


def test_a_namespace_with_a_name_is_entered_by_its_name_also_without_a_process() -> None:
    hide_named()
    with NamespacedProcess() as process, running_broker() as broker:
        give_name("web", process.pid)
        expected = NamespaceRef(process.inode, b"web", NamespaceTarget(name=b"web"))
        assert found(broker)[process.inode] == expected
        process.end()
        assert found(broker)[process.inode] == expected
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
        assert ref == NamespaceRef(process.inode, name, NamespaceTarget(name=name))
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
        assert ref == NamespaceRef(process.inode, b"", NamespaceTarget(pid=process.pid))
        open_one(broker, ref.target).close()


def test_without_the_directory_there_are_no_names(tmp_path: Path) -> None:
    with NamespacedProcess() as process, running_broker() as broker:
        refs = {ref.inode: ref for ref in Discovery(broker, tmp_path / "missing").find()}
        assert refs[process.inode].target == NamespaceTarget(pid=process.pid)


def test_a_directory_of_names_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "netns").touch()
    with running_broker() as broker, pytest.raises(KernelError) as refused:
        Discovery(broker, tmp_path / "netns").find()
    assert (refused.value.reason, refused.value.errno) == ("ENOTDIR", errno.ENOTDIR)


def test_where_namespaces_have_no_cookies_a_target_has_the_start_of_its_process() -> None:
    hide_named()
    with NamespacedProcess() as process, NamespacedProcess() as named, running_broker() as broker:
        give_name("web", named.pid)
        refs = found(broker, cookies=False)
        target = NamespaceTarget(pid=process.pid, started=process.started())
        assert refs[process.inode].target == target
        assert refs[named.inode].target == NamespaceTarget(name=b"web")
        open_one(broker, target).close()
        assert found(broker, cookies=True)[process.inode].target.started == 0


class Late(BrokerClient):
    """A broker whose list of namespaces is that of before."""

    def __init__(self, channel: socket.socket, **arguments: Any) -> None:
        super().__init__(channel, **arguments)
        self.seen: dict[int, int] = {}

    def namespaces(self) -> dict[int, int]:
        """Return the first list each time."""
        self.seen = self.seen or super().namespaces()
        return self.seen


def test_a_process_that_has_ended_gets_a_start_that_no_process_has() -> None:
    with NamespacedProcess() as process, running_broker(client=Late) as broker:
        ended = process.pid
        broker.namespaces()
        process.end()
        ref = found(broker, cookies=False)[process.inode]
        assert ref.target == NamespaceTarget(pid=ended, started=1)
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
            Discovery(broker).find()
        assert lost.value.reason == "broker"
        assert str(lost.value).startswith("cannot look for network namespaces: the broker ended")


def test_without_a_free_descriptor_it_is_a_kernel_error() -> None:
    with running_broker() as broker:
        finding = Discovery(broker)
        with no_free_descriptor(), pytest.raises(KernelError) as failed:
            finding.find()
        assert (type(failed.value), failed.value.errno) == (KernelError, errno.EMFILE)
