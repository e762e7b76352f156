"""Owners on the real kernel: cgroups named as runtimes name them, with services in them."""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from exporter.kernel.netns.namespace import host
from exporter.kernel.processes.cgroups import CgroupTree
from exporter.kernel.processes.process import Processes
from exporter.kernel.records import Method
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.owners.containers import ContainerNameCache
from exporter.owners.owner import Owner
from exporter.owners.search import OwnerSearch
from testbed import privileges
from testbed.waiting import until
from tests.integration import listening_sockets
from tests.integration.service import Service
from tests.owners.fake_host import Shelf, look

ID = "a1b2c3d4e5f60718" * 4
DOCKER = f"/var/lib/docker/containers/{ID}/config.v2.json"
NAMED = Shelf({DOCKER: b'{"Name": "/web"}'})


def the_tree() -> CgroupTree:
    tree = CgroupTree()
    if tree.mount is None:
        pytest.skip("no cgroups of version 2 here")
    return tree


Make = Callable[[str], Path]


@pytest.fixture
def make() -> Iterator[Make]:
    """Make a cgroup of some name below one of the test's own; all of them go when the test has ended."""
    mount = the_tree().mount
    assert mount is not None
    top = Path(os.fsdecode(mount.point)) / f"listen-queue-test-{uuid.uuid4().hex}"
    try:
        top.mkdir()
    except OSError as refused:
        pytest.skip(f"cannot make a cgroup: {refused}")

    def below(name: str) -> Path:
        (top / name).mkdir(parents=True)
        return top / name

    yield below
    until(partial(is_gone, top), bool)


def is_gone(top: Path) -> bool:
    """Remove a cgroup and all below, in which processes may still be about to end."""
    folders = [path for path in top.rglob("*") if path.is_dir()]
    for folder in sorted(folders, reverse=True):
        with contextlib.suppress(OSError):
            folder.rmdir()
    with contextlib.suppress(OSError):
        top.rmdir()
    return not top.exists()


def inside(cgroup: Path, listen: Callable[[], list[socket.socket]]) -> Callable[[], list[socket.socket]]:
    """Move to a cgroup, and then listen: that is where the socket was made."""

    def updated() -> list[socket.socket]:
        (cgroup / "cgroup.procs").write_text(f"{os.getpid()}\n")
        return listen()

    return updated


def tcp() -> list[socket.socket]:
    return [listening_sockets.tcp("127.0.0.1")]


def the_group() -> ListenerGroup:
    """The one TCP listener of this namespace."""
    ((listener, reading),) = host().tcp_listeners(Method.SOCK_DIAG).read(0.0).opened
    group = ListenerGroup(key_of(listener, "host", "tcp"))
    group.open(listener, reading)
    return group


def sockets_of(group: ListenerGroup) -> dict[int, int]:
    return {member.listener.inode: member.listener.cgroup_id for member in group.members.values()}


class Counted(Processes):
    """Counts the processes that are looked into."""

    def __init__(self) -> None:
        super().__init__()
        self.walks = 0

    def pids(self) -> list[int]:
        """Begin a walk."""
        self.walks += 1
        return super().pids()


def found(processes: Processes | None = None) -> Owner:
    owners = OwnerSearch(processes, the_tree(), ContainerNameCache(NAMED))
    group = the_group()
    owners.want(sockets_of(group), 0.0)
    look(owners)
    return owners.of(group)


@pytest.mark.netns
def test_id_of_a_listener_is_the_inode_of_the_directory(make: Make) -> None:
    cgroup = make("web.service")
    with Service(b"web", inside(cgroup, tcp)):
        (member,) = the_group().members.values()
        assert member.listener.cgroup_id == cgroup.stat().st_ino
        tree = the_tree()
        list(tree.look_for([member.listener.cgroup_id], 0.0))
        path = tree.path(member.listener.cgroup_id)
        assert path is not None
        assert path.decode().endswith(f"/{cgroup.parent.name}/web.service")
        assert len(tree.pids(path)) == 1


@pytest.mark.netns
def test_owner_is_found_among_the_processes_of_its_cgroup_alone(make: Make) -> None:
    processes = Counted()
    name = f"system.slice/docker-{ID}.scope"
    with Service(b"web", inside(make(name), tcp), workers=2):
        owner = found(processes)
        assert (owner.process, owner.container, owner.container_id, owner.runtime) == (
            "web",
            "web",
            ID,
            "docker",
        )
        assert (owner.unit, owner.slice) == (f"docker-{ID}.scope", "system.slice")
        assert owner.cgroup.endswith(name)
        assert processes.walks == 0


@pytest.mark.netns
def test_unix_socket_is_found_by_a_walk_and_its_process_tells_the_rest(make: Make) -> None:
    with Service(b"web", inside(make(f"docker/{ID}"), lambda: [listening_sockets.unix(b"\0web")])):
        ((listener, reading),) = host().unix_listeners(Method.SOCK_DIAG).read(0.0).opened
        group = ListenerGroup(key_of(listener, "host", "tcp"))
        group.open(listener, reading)
        owners = OwnerSearch(None, the_tree(), ContainerNameCache(NAMED))
        owners.want(sockets_of(group), 0.0)
        look(owners)
        owner = owners.of(group)
        assert (owner.process, owner.container, owner.runtime) == ("web", "web", "docker")


@pytest.mark.netns
def test_who_opened_a_socket_in_one_cgroup_and_went_to_another_is_where_it_is(make: Make) -> None:
    old, new = make("old.service"), make("new.service")

    def listen_and_move() -> list[socket.socket]:
        opened = inside(old, tcp)()
        (new / "cgroup.procs").write_text(f"{os.getpid()}\n")
        return opened

    with Service(b"web", listen_and_move):
        processes = Counted()
        owner = found(processes)
        assert (owner.process, owner.unit, processes.walks) == ("web", "new.service", 1)


@pytest.mark.netns
def test_directory_that_is_gone_while_the_listener_lives_does_no_harm(make: Make) -> None:
    old, new = make("old.service"), make("new.service")

    def listen_and_move() -> list[socket.socket]:
        opened = inside(old, tcp)()
        (new / "cgroup.procs").write_text(f"{os.getpid()}\n")
        old.rmdir()
        return opened

    with Service(b"web", listen_and_move):
        assert next(iter(sockets_of(the_group()).values())) > 1
        owner = found()
        assert (owner.process, owner.unit) == ("web", "new.service")


@pytest.mark.netns
def test_without_any_privilege_the_cgroup_tells_unit_and_container(make: Make) -> None:
    with Service(b"web", inside(make(f"system.slice/docker-{ID}.scope"), tcp)):
        privileges.drop_to()
        owner = found()
        assert owner.process == ""
        assert (owner.container, owner.runtime, owner.unit) == ("web", "docker", f"docker-{ID}.scope")


@pytest.mark.netns
def test_master_that_started_first_is_the_owner_and_not_its_workers(make: Make) -> None:
    with Service(b"master", inside(make("web.service"), tcp), workers=3):
        assert found().process == "master"
