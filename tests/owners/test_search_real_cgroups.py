"""Search for owners on a real kernel, in cgroups with the names that container runtimes give them."""

from __future__ import annotations

import contextlib
import os
import socket
import uuid
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from exporter.kernel.family import TCP, UNIX
from exporter.kernel.netns.namespace import own_namespace
from exporter.kernel.processes.cgroups import CgroupTree
from exporter.kernel.processes.process import Processes
from exporter.kernel.records import Method
from exporter.listeners.group import ListenerGroup
from exporter.listeners.key import key_of
from exporter.owners.container_name_cache import ContainerNameCache
from exporter.owners.container_name_lookups import ContainerNameLookups
from exporter.owners.owner import Owner
from exporter.owners.programs import Programs
from exporter.owners.runtimes.running_daemons import RunningDaemons
from exporter.owners.search import OwnerSearch, OwnerSources
from exporter.owners.socket_paths import SocketPaths
from exporter.owners.user_names import UserNames
from testbed import privileges
from testbed.waiting import until
from tests.integration import listening_sockets
from tests.integration.service import Service
from tests.owners.fake_host import FakeFiles, FakeLookups, search
from tests.owners.inline_lookups import InlineLookups
from tests.owners.runtime_file_paths import CONTAINER_ID, DOCKER
from tests.owners.runtimes.daemons import running

FILES = FakeFiles({DOCKER: b'{"Name": "/web"}'})


def cgroup_tree() -> CgroupTree:
    tree = CgroupTree()
    if tree.mount is None:
        pytest.skip("no cgroups of version 2 are mounted")
    return tree


MakeCgroup = Callable[[str], Path]


@pytest.fixture
def make_cgroup() -> Iterator[MakeCgroup]:
    """Make a cgroup below one of the test's own; all are removed when the test has ended."""
    mount = cgroup_tree().mount
    assert mount is not None
    top = Path(os.fsdecode(mount.point)) / f"listen-queue-test-{uuid.uuid4().hex}"
    try:
        top.mkdir()
    except OSError as refused:
        pytest.skip(f"cannot make a cgroup: {refused}")

    def make(name: str) -> Path:
        (top / name).mkdir(parents=True)
        return top / name

    yield make
    until(partial(try_remove, top), bool)


def try_remove(top: Path) -> bool:
    """Remove a cgroup and all below it, as far as their processes have ended. Return whether it is gone."""
    directories = [path for path in top.rglob("*") if path.is_dir()]
    for directory in sorted(directories, reverse=True):
        with contextlib.suppress(OSError):
            directory.rmdir()
    with contextlib.suppress(OSError):
        top.rmdir()
    return not top.exists()


def move_to(cgroup: Path) -> None:
    (cgroup / "cgroup.procs").write_text(f"{os.getpid()}\n")


def listen_in(cgroup: Path) -> Callable[[], list[socket.socket]]:
    """Return a function that moves the process to a cgroup and creates a TCP listener there."""

    def listen() -> list[socket.socket]:
        move_to(cgroup)
        return [listening_sockets.tcp("127.0.0.1")]

    return listen


def tcp_group() -> ListenerGroup:
    """Return the group of the only TCP listener in this network namespace."""
    ((listener, reading),) = own_namespace().listeners(TCP, Method.SOCK_DIAG).read(0.0).opened
    group = ListenerGroup(key_of(listener, "host", TCP.protocol))
    group.open(listener, reading)
    return group


def cgroup_ids_of(group: ListenerGroup) -> dict[int, int]:
    return {member.listener.inode: member.listener.cgroup_id for member in group.members.values()}


class CountingProcesses(Processes):
    """Counts the searches of all processes."""

    def __init__(self) -> None:
        super().__init__()
        self.full_searches = 0

    def pids(self) -> list[int]:
        self.full_searches += 1
        return super().pids()


def find_owner(
    group: ListenerGroup, processes: Processes | None = None, names: ContainerNameCache | None = None
) -> Owner:
    table = Processes() if processes is None else processes
    owners = OwnerSearch(
        OwnerSources(
            table,
            Programs(table, FakeLookups()),
            SocketPaths(FakeLookups()),
            cgroup_tree(),
            ContainerNameLookups(names or ContainerNameCache(FILES), InlineLookups()),
            UserNames(FakeLookups(), FakeLookups(), FakeLookups()),
        )
    )
    owners.set_sockets([member.listener for member in group.members.values()], 0.0)
    search(owners)
    (known,) = owners.owners_of(member.listener for member in group.members.values()).values()
    return known.owner


@pytest.mark.netns
def test_cgroup_id_of_a_listener_is_the_inode_of_the_directory(make_cgroup: MakeCgroup) -> None:
    cgroup = make_cgroup("web.service")
    with Service(b"web", listen_in(cgroup)):
        (member,) = tcp_group().members.values()
        assert member.listener.cgroup_id == cgroup.stat().st_ino
        tree = cgroup_tree()
        list(tree.look_for([member.listener.cgroup_id], 0.0))
        path = tree.path(member.listener.cgroup_id)
        assert path is not None
        assert path.decode().endswith(f"/{cgroup.parent.name}/web.service")
        assert len(tree.pids(path)) == 1


@pytest.mark.netns
def test_owner_is_found_without_a_full_search(make_cgroup: MakeCgroup) -> None:
    processes = CountingProcesses()
    name = f"system.slice/docker-{CONTAINER_ID}.scope"
    with Service(b"web", listen_in(make_cgroup(name)), workers=2):
        owner = find_owner(tcp_group(), processes)
        assert (owner.process, owner.container, owner.runtime) == ("web", "web", "docker")
        assert owner.container_id == CONTAINER_ID
        assert (owner.unit, owner.slice) == (f"docker-{CONTAINER_ID}.scope", "system.slice")
        assert owner.cgroup.endswith(name)
        assert processes.full_searches == 0


@pytest.mark.netns
@pytest.mark.parametrize("configured", ["arguments", "file"])
def test_container_has_the_name_that_a_running_daemon_keeps_elsewhere(
    make_cgroup: MakeCgroup, tmp_path: Path, configured: str
) -> None:
    container = tmp_path / "data" / "containers" / CONTAINER_ID
    container.mkdir(parents=True)
    (container / "config.v2.json").write_text('{"Name": "/web"}')
    (tmp_path / "daemon.json").write_text(f'{{"data-root": "{tmp_path}/data"}}')
    arguments = {
        "arguments": ("--data-root", f"{tmp_path}/data"),
        "file": ("--config-file", f"{tmp_path}/daemon.json"),
    }
    cgroup = make_cgroup(f"system.slice/docker-{CONTAINER_ID}.scope")
    with running(tmp_path, "dockerd", *arguments[configured]), Service(b"web", listen_in(cgroup)):
        names = ContainerNameCache(daemons=RunningDaemons())
        assert find_owner(tcp_group(), names=names).container == "web"


@pytest.mark.netns
def test_owner_of_a_unix_socket_is_found_by_a_full_search(make_cgroup: MakeCgroup) -> None:
    cgroup = make_cgroup(f"docker/{CONTAINER_ID}")

    def listen() -> list[socket.socket]:
        move_to(cgroup)
        return [listening_sockets.unix(b"\0web")]

    with Service(b"web", listen):
        ((listener, reading),) = own_namespace().listeners(UNIX, Method.SOCK_DIAG).read(0.0).opened
        group = ListenerGroup(key_of(listener, "host", UNIX.protocol))
        group.open(listener, reading)
        processes = CountingProcesses()
        owner = find_owner(group, processes)
        assert (owner.process, owner.container, owner.runtime) == ("web", "web", "docker")
        assert processes.full_searches == 1


@pytest.mark.netns
@pytest.mark.parametrize("removed", [False, True])
def test_unit_is_that_of_the_process_where_the_socket_was_created_in_another(
    make_cgroup: MakeCgroup,
    removed: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    """Also where the cgroup of the socket is removed."""
    old, new = make_cgroup("old.service"), make_cgroup("new.service")

    def listen_and_move() -> list[socket.socket]:
        opened = listen_in(old)()
        move_to(new)
        if removed:
            old.rmdir()
        return opened

    with Service(b"web", listen_and_move):
        group, processes = tcp_group(), CountingProcesses()
        assert next(iter(cgroup_ids_of(group).values())) > 1
        owner = find_owner(group, processes)
        assert (owner.process, owner.unit, processes.full_searches) == ("web", "new.service", 1)


@pytest.mark.netns
def test_unit_and_container_are_those_of_the_cgroup_without_privileges(make_cgroup: MakeCgroup) -> None:
    with Service(b"web", listen_in(make_cgroup(f"system.slice/docker-{CONTAINER_ID}.scope"))):
        privileges.drop_to()
        owner = find_owner(tcp_group())
        assert owner.process == ""
        assert (owner.container, owner.runtime) == ("web", "docker")
        assert owner.unit == f"docker-{CONTAINER_ID}.scope"


@pytest.mark.netns
def test_master_is_the_owner_and_not_its_workers(make_cgroup: MakeCgroup) -> None:
    with Service(b"master", listen_in(make_cgroup("web.service")), workers=3):
        assert find_owner(tcp_group()).process == "master"
