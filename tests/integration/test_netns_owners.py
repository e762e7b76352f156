"""Who owns a listener in another network namespace: the host's cgroups and processes tell."""

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
from tests.integration import listening_sockets
from tests.integration.cgroups import enter, made
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
    with made() as top:
        yield top


def listens(port: int, cgroup: Path | None = None) -> Listen:
    """Listen on a port, from inside of a cgroup."""

    def listen() -> list[socket.socket]:
        if cgroup is not None:
            enter(cgroup)
        return [listening_sockets.tcp("127.0.0.1", port)]

    return listen


def write(path: str, content: str) -> None:
    """Write a file as a runtime does; /var is the test's own."""
    place = Path(path)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content)


def info(page: Page, port: int) -> dict[str, str]:
    """All that is known of the listener on a port."""
    (labels,) = page.all("listen_queue_listener_info", port=str(port))
    return dict(labels)


def until_owned(daemon: Daemon, port: int, **wanted: str) -> None:
    """Return when a listener has these labels on its info."""
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
def test_where_the_cgroup_of_a_socket_is_gone_its_process_tells_where_it_is(cgroups: Path) -> None:
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
        # What Python loads for this is out of reach later.
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
            # The parent's name, not this one's.
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
        _look_again(daemon, made.pid, stack)
        until_owned(daemon, 8080, process="before")


@pytest.mark.netns
def test_a_socket_that_is_handed_on_keeps_the_name_of_who_was_found_with_it() -> None:
    """The kernel's inode of the socket stays, and nobody tells that another process has it now."""
    ours, theirs = socket.socketpair()

    def give() -> list[socket.socket]:
        if os.fork() == 0:
            set_name(b"taker")
            _kept = socket.recv_fds(theirs, 1, 1)
            signal.pause()
        (opened,) = listens(8080)()
        socket.send_fds(ours, [b"!"], [opened.fileno()])
        return [opened]

    with ExitStack() as stack:
        made = stack.enter_context(Namespaces()).container()
        with within(made.pid):
            giver = stack.enter_context(Service(b"giver", give))
        daemon = stack.enter_context(watching(only(str(made.inode))))
        until_owned(daemon, 8080, process="giver")
        giver.end()
        _look_again(daemon, made.pid, stack)
        until_owned(daemon, 8080, process="giver")
        until_figure(daemon, 0, "exporter_sockets_without_owner")


def _look_again(daemon: Daemon, pid: int, stack: ExitStack) -> None:
    """Have owners looked for once more, for a listener that comes to the same namespace."""
    with within(pid):
        stack.enter_context(Service(b"another", listens(9090)))
    until_owned(daemon, 9090, process="another")
    first = samples(daemon, "inet")
    until(lambda: samples(daemon, "inet"), lambda taken: taken >= first + 10)
