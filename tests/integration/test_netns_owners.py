"""The owner of a listener in another network namespace: found by the cgroups and processes of the host."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from testbed import privileges, syscalls
from testbed.daemon import Daemon
from testbed.netns import Namespaces
from testbed.page import Page
from testbed.waiting import until
from tests.broker.leaderless_process import leaderless_process
from tests.integration import listening_sockets
from tests.integration.cgroups import enter, new_cgroup
from tests.integration.metric_values import until_figure
from tests.integration.other_namespaces import only, samples, watching
from tests.integration.reference import within
from tests.integration.service import Service, set_name

ID = "0123456789abcdef" * 4
IN_POD = "fedcba9876543210" * 4
POD = "11111111-2222-3333-4444-555555555555"
DOCKER = f"system.slice/docker-{ID}.scope"
CONTAINERD = f"kubepods.slice/kubepods-pod{POD.replace('-', '_')}.slice/cri-containerd-{IN_POD}.scope"
RULES = """
rules:
  - {name: by-container, match: {container: "sh?p"}}
  - {name: by-pod, match: {pod: "api-*", namespace: prod}}
  - {name: by-unit, match: {unit: "edge.service"}}
  - {name: by-process, match: {process: "pla*"}}
  - {name: by-netns, match: {netns: ["%s"]}}
"""
Listen = Callable[[], list[socket.socket]]


@pytest.fixture
def cgroups() -> Iterator[Path]:
    """A cgroup of the test's own."""
    with new_cgroup() as top:
        yield top


@pytest.mark.netns
def test_a_process_whose_first_thread_has_ended_is_found_with_its_namespace() -> None:
    set_name(b"lives")
    with leaderless_process(8080) as (_, inode), watching(only(str(inode))) as daemon:
        until_figure(daemon, 0, "accept_length", netns=str(inode), port="8080", process="lives")


def listens(port: int, cgroup: Path | None = None) -> Listen:
    """A function that moves to a cgroup and listens on a port there."""

    def listen() -> list[socket.socket]:
        if cgroup is not None:
            enter(cgroup)
        return [listening_sockets.tcp("127.0.0.1", port)]

    return listen


def write(path: str, content: str) -> None:
    """Write a file as a container runtime does; /var is a tmpfs of the test."""
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)


def info(page: Page, port: int) -> dict[str, str]:
    """The labels of the info metric of the listener on a port."""
    (labels,) = page.all("listen_queue_listener_info", port=str(port))
    return dict(labels)


def until_owned(daemon: Daemon, port: int, **wanted: str) -> None:
    """Return when the info metric of a listener has these labels."""
    until_figure(daemon, 1, "listener_info", port=str(port), **wanted)


@pytest.mark.netns
def test_containers_pods_and_units_are_labels_and_rules_find_them(cgroups: Path) -> None:
    with ExitStack() as stack:
        made = stack.enter_context(Namespaces()).container()
        syscalls.mount_empty("/var")
        write(f"/var/lib/docker/containers/{ID}/config.v2.json", '{"Name": "/shop"}')
        write(f"/var/log/pods/prod_api-0_{POD}/app/0.log", "")
        with within(made.pid):
            for name, port, below in (
                (b"shop", 8001, DOCKER),
                (b"api", 8002, CONTAINERD),
                (b"edge", 8003, "system.slice/edge.service"),
                (b"plain", 8004, "none"),
                (b"other", 8005, "none"),
            ):
                stack.enter_context(Service(name, listens(port, cgroups / below)))
        config = only(str(made.inode)) + "labels: [process, container]\n" + RULES % made.inode
        daemon = stack.enter_context(watching(config))
        until_owned(daemon, 8001, rule="by-container", runtime="docker", container_id=ID)
        until_owned(daemon, 8002, rule="by-pod", runtime="containerd", container_id=IN_POD)
        until_owned(daemon, 8003, rule="by-unit", unit="edge.service", slice="system.slice")
        until_owned(daemon, 8004, rule="by-process")
        until_owned(daemon, 8005, rule="by-netns")
        page = daemon.metrics()
        assert (info(page, 8002)["pod"], info(page, 8002)["namespace"]) == ("api-0", "prod")
        assert info(page, 8001)["cgroup"].endswith(DOCKER)
        for port, process, container in ((8001, "shop", "shop"), (8002, "api", "app"), (8003, "edge", "")):
            series = [labels for key, labels in page.samples if ("port", str(port)) in labels and key]
            assert len(series) > 20
            assert {(dict(each)["process"], dict(each)["container"]) for each in series} == {
                (process, container)
            }


@pytest.mark.netns
def test_a_container_without_a_name_on_disk_has_its_short_id(cgroups: Path) -> None:
    with ExitStack() as stack:
        made = stack.enter_context(Namespaces()).container()
        syscalls.mount_empty("/var")
        with within(made.pid):
            stack.enter_context(Service(b"web", listens(8080, cgroups / DOCKER)))
        daemon = stack.enter_context(watching(only(str(made.inode))))
        until_owned(daemon, 8080, process="web", container=ID[:12], runtime="docker")


@pytest.mark.netns
def test_where_the_cgroup_of_a_socket_is_gone_that_of_its_process_counts(cgroups: Path) -> None:
    def listen_and_move() -> list[socket.socket]:
        opened = listens(8080, cgroups / "old.service")()
        enter(cgroups / "new.service")
        (cgroups / "old.service").rmdir()
        return opened

    with ExitStack() as stack:
        made = stack.enter_context(Namespaces()).container()
        with within(made.pid):
            stack.enter_context(Service(b"web", listen_and_move))
        daemon = stack.enter_context(watching(only(str(made.inode))))
        until_owned(daemon, 8080, process="web", unit="new.service")


@pytest.mark.netns
def test_of_a_parent_and_its_children_the_parent_is_the_owner() -> None:
    with ExitStack() as stack:
        made = stack.enter_context(Namespaces()).container()
        with within(made.pid):
            stack.enter_context(Service(b"master", listens(8080), workers=3))
        daemon = stack.enter_context(watching(only(str(made.inode))))
        until_owned(daemon, 8080, process="master", netns=str(made.inode))


@pytest.mark.netns
def test_a_process_of_another_user_is_found_and_so_is_its_user() -> None:
    def as_nobody() -> list[socket.socket]:
        # The user may not read the modules that Python loads for this.
        listening_sockets.tcp("127.0.0.1", 0).close()
        privileges.drop_to()
        return listens(8080)()

    with ExitStack() as stack:
        made = stack.enter_context(Namespaces()).container()
        with within(made.pid):
            stack.enter_context(Service(b"web", as_nobody))
        daemon = stack.enter_context(watching(only(str(made.inode))))
        until_owned(daemon, 8080, process="web", user="nobody")
        until_figure(daemon, 0, "exporter_sockets_without_owner")


@pytest.mark.netns
def test_a_process_that_renames_itself_keeps_the_name_it_was_found_with() -> None:
    named, rename = os.pipe()

    def listen_and_wait() -> list[socket.socket]:
        opened = listens(8080)()
        if os.fork() == 0:
            # The name of the parent, not of this process.
            os.read(named, 1)
            Path(f"/proc/{os.getppid()}/comm").write_text("after")
            os._exit(0)
        return opened

    with ExitStack() as stack:
        made = stack.enter_context(Namespaces()).container()
        with within(made.pid):
            stack.enter_context(Service(b"before", listen_and_wait))
        daemon = stack.enter_context(watching(only(str(made.inode))))
        until_owned(daemon, 8080, process="before")
        os.write(rename, b"!")
        _search_owners_again(daemon, made.pid, stack)
        until_owned(daemon, 8080, process="before")


@pytest.mark.netns
def test_a_socket_that_is_passed_on_keeps_the_name_of_the_process_found_first() -> None:
    """The socket keeps its inode, and the kernel does not report that another process holds it now."""
    ours, theirs = socket.socketpair()

    def pass_on() -> list[socket.socket]:
        if os.fork() == 0:
            set_name(b"second")
            _kept = socket.recv_fds(theirs, 1, 1)
            signal.pause()
        (opened,) = listens(8080)()
        socket.send_fds(ours, [b"!"], [opened.fileno()])
        return [opened]

    with ExitStack() as stack:
        made = stack.enter_context(Namespaces()).container()
        with within(made.pid):
            first = stack.enter_context(Service(b"first", pass_on))
        daemon = stack.enter_context(watching(only(str(made.inode))))
        until_owned(daemon, 8080, process="first")
        first.end()
        _search_owners_again(daemon, made.pid, stack)
        until_owned(daemon, 8080, process="first")
        until_figure(daemon, 0, "exporter_sockets_without_owner")


def _search_owners_again(daemon: Daemon, pid: int, stack: ExitStack) -> None:
    """Have the exporter search for owners once more, by a new listener in the same namespace."""
    with within(pid):
        stack.enter_context(Service(b"third", listens(9090)))
    until_owned(daemon, 9090, process="third")
    before = samples(daemon, "inet")
    until(lambda: samples(daemon, "inet"), lambda taken: taken >= before + 10)
