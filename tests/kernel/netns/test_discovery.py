"""Which namespaces are found, and by which way they are entered."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest

from exporter.broker.capabilities import Capability, keep_only
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import KernelError
from exporter.kernel.netns.broker_client import BrokerClient, OpenedDescriptors
from exporter.kernel.netns.discovery import Discovery, NamespaceRef
from tests.broker.broker_processes import brokered, one
from tests.broker.namespaced_process import Neighbour, give_name, hide_named, take_name

pytestmark = pytest.mark.netns


def found(broker: BrokerClient, *, cookies: bool | None = None) -> dict[int, NamespaceRef]:
    """What is found, by inode; each namespace is there once."""
    refs = Discovery(broker, cookies=cookies).find()
    assert len({ref.inode for ref in refs}) == len(refs)
    return {ref.inode: ref for ref in refs}


def test_a_namespace_of_a_process_is_found_and_the_own_one_is_not() -> None:
    own = Path("/proc/self/ns/net").stat().st_ino
    hide_named()
    with Neighbour() as neighbour, brokered() as broker:
        refs = found(broker)
        assert refs[neighbour.inode] == NamespaceRef(neighbour.inode, b"", NamespaceTarget(pid=neighbour.pid))
        assert own not in refs
        give_name("own", os.getpid())
        assert own not in found(broker)
        neighbour.end()
        assert neighbour.inode not in found(broker)


def test_a_namespace_with_a_name_is_entered_by_it_also_without_a_process() -> None:
    hide_named()
    with Neighbour() as neighbour, brokered() as broker:
        give_name("web", neighbour.pid)
        expected = NamespaceRef(neighbour.inode, b"web", NamespaceTarget(name=b"web"))
        assert found(broker)[neighbour.inode] == expected
        neighbour.end()
        assert found(broker)[neighbour.inode] == expected
        one(broker, expected.target).close()
        take_name("web")
        assert neighbour.inode not in found(broker)


def test_of_two_names_the_first_counts() -> None:
    hide_named()
    with Neighbour() as neighbour, brokered() as broker:
        for name in ("b", "a", "c"):
            give_name(name, neighbour.pid)
        assert found(broker)[neighbour.inode].name == b"a"
        assert list(found(broker)).count(neighbour.inode) == 1


def test_any_byte_may_be_in_a_name() -> None:
    hide_named()
    name = b"\xff \n\\"
    with Neighbour() as neighbour, brokered() as broker:
        give_name(os.fsdecode(name), neighbour.pid)
        ref = found(broker)[neighbour.inode]
        assert ref == NamespaceRef(neighbour.inode, name, NamespaceTarget(name=name))
        one(broker, ref.target).close()


def test_what_is_no_mount_of_a_namespace_is_no_namespace() -> None:
    hide_named()
    with Neighbour() as neighbour, brokered() as broker:
        named = Path("/run/netns")
        (named / "left-over").touch()
        (named / "folder").mkdir()
        (named / "dangling").symlink_to("/nowhere")
        refs = found(broker)
        assert {ref.name for ref in refs.values()} == {b""}
        assert neighbour.inode in refs


def test_a_namespace_with_a_link_to_it_is_entered_by_its_process() -> None:
    """Who wants `ip netns` to know a container makes a link, which the broker would not follow."""
    hide_named()
    with Neighbour() as neighbour, brokered() as broker:
        Path("/run/netns/container").symlink_to(f"/proc/{neighbour.pid}/ns/net")
        keep_only(())
        ref = found(broker)[neighbour.inode]
        assert ref == NamespaceRef(neighbour.inode, b"", NamespaceTarget(pid=neighbour.pid))
        one(broker, ref.target).close()


def test_without_the_directory_of_names_there_are_none(tmp_path: Path) -> None:
    with Neighbour() as neighbour, brokered() as broker:
        refs = {ref.inode: ref for ref in Discovery(broker, tmp_path / "missing").find()}
        assert refs[neighbour.inode].target == NamespaceTarget(pid=neighbour.pid)


def test_a_directory_of_names_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "netns").touch()
    with brokered() as broker, pytest.raises(KernelError) as refused:
        Discovery(broker, tmp_path / "netns").find()
    assert refused.value.reason == "ENOTDIR"


def test_where_namespaces_have_no_cookies_a_process_is_known_by_its_start() -> None:
    hide_named()
    with Neighbour() as neighbour, Neighbour() as named, brokered() as broker:
        give_name("web", named.pid)
        refs = found(broker, cookies=False)
        target = NamespaceTarget(pid=neighbour.pid, started=neighbour.started())
        assert refs[neighbour.inode].target == target
        assert refs[named.inode].target == NamespaceTarget(name=b"web")
        one(broker, target).close()
        assert found(broker, cookies=True)[neighbour.inode].target.started == 0


def test_a_process_that_ended_meanwhile_gets_a_start_that_fits_none() -> None:
    with Neighbour() as neighbour, brokered() as broker:
        ended = neighbour.pid
        seen = broker.namespaces()
        neighbour.end()
        broker.namespaces = lambda: seen  # type: ignore[method-assign]
        ref = found(broker, cookies=False)[neighbour.inode]
        assert ref.target == NamespaceTarget(pid=ended, started=1)
        (refused,) = broker.enter([ref.target])
        assert not isinstance(refused, OpenedDescriptors)
        assert refused.errno == errno.ESRCH


def test_a_process_that_may_not_be_seen_is_not_found() -> None:
    with Neighbour() as neighbour, brokered({Capability.SYS_ADMIN}) as broker:
        assert neighbour.inode not in found(broker)


def test_a_lost_broker_is_an_error_of_the_kernel() -> None:
    def run(channel: socket.socket) -> None:
        if channel.recv(100):
            raise RuntimeError

    with brokered(run=run) as broker:
        with pytest.raises(KernelError) as lost:
            Discovery(broker).find()
        assert lost.value.reason == "broker"
