"""A unix listener is a file: which one, and where it lies now."""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from testbed import syscalls
from testbed.daemon import Daemon, running
from testbed.waiting import equals, until
from tests.integration import listening_sockets
from tests.integration.metric_values import EAGER
from tests.integration.service import Service, set_name

SOCKET = "app.sock"


def shown(daemon: Daemon) -> dict[tuple[str, str], tuple[float, str]]:
    """Backlog and stale_path of each unix listener, by address and process."""
    page = daemon.metrics()
    limits = {
        (known["address"], known["process"]): limit
        for labels, limit in page.all("listen_queue_accept_limit", protocol="unix").items()
        if (known := dict(labels))
    }
    stale = {
        (known["address"], known["process"]): known["stale_path"]
        for labels in page.all("listen_queue_listener_info", protocol="unix")
        if (known := dict(labels))
    }
    return {key: (limit, stale[key]) for key, limit in limits.items() if key in stale}


def listen(directory: Path, backlog: int, path: str | Path = SOCKET) -> list[socket.socket]:
    """Bind a path, in a directory, and listen."""
    os.chdir(directory)
    return [listening_sockets.unix(str(path), backlog=backlog)]


@pytest.mark.netns
def test_one_relative_path_in_two_directories_is_two_listeners(tmp_path: Path) -> None:
    shop, blog = tmp_path / "shop", tmp_path / "blog"
    shop.mkdir()
    blog.mkdir()
    with (
        Service(b"wsgi", partial(listen, shop, 3)),
        Service(b"wsgi", partial(listen, blog, 100)),
        running(config=EAGER) as daemon,
    ):
        until(
            lambda: shown(daemon),
            equals(
                {(f"{shop}/{SOCKET}", "wsgi"): (3, "false"), (f"{blog}/{SOCKET}", "wsgi"): (100, "false")}
            ),
        )


@pytest.mark.netns
def test_one_path_in_two_mount_namespaces_is_two_listeners(tmp_path: Path) -> None:
    def in_mount_namespace(backlog: int) -> list[socket.socket]:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.keep_mounts_private()
        syscalls.mount_empty(str(tmp_path))
        return [listening_sockets.unix(str(tmp_path / SOCKET), backlog=backlog)]

    path = str(tmp_path / SOCKET)
    with (
        Service(b"idle", partial(in_mount_namespace, 100)),
        Service(b"hung", partial(in_mount_namespace, 3)),
        running(config=EAGER) as daemon,
    ):
        until(lambda: shown(daemon), equals({(path, "idle"): (100, "false"), (path, "hung"): (3, "false")}))


@pytest.mark.netns
def test_a_path_in_a_chroot_is_shown_as_its_process_sees_it(tmp_path: Path) -> None:
    def in_chroot() -> list[socket.socket]:
        os.chroot(tmp_path)
        os.chdir("/")
        return [listening_sockets.unix(f"/{SOCKET}", backlog=3)]

    with Service(b"jailed", in_chroot), running(config=EAGER) as daemon:
        until(lambda: shown(daemon), equals({(f"/{SOCKET}", "jailed"): (3, "false")}))


def leave_root(directory: Path) -> None:
    os.chroot(directory)
    os.chdir("/")


def leave_mounts(_directory: Path) -> None:
    """As daemons do that confine themselves, and what systemd does for services with PrivateTmp=."""
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.keep_mounts_private()
    syscalls.mount_empty("/tmp")  # noqa: S108  (it is laid over the directory)


@pytest.mark.netns
@pytest.mark.parametrize(
    ("path", "leave"),
    [
        (None, leave_root),
        (None, leave_mounts),
        (SOCKET, lambda _: os.chdir("/")),
        (SOCKET, lambda _: os.chdir("/usr")),
    ],
    ids=["root", "mounts", "directory for the root", "directory"],
)
def test_a_daemon_that_leaves_its_root_or_directory_has_the_path_that_it_bound(
    tmp_path: Path, path: str | None, leave: Callable[[Path], object]
) -> None:
    """Clients reach it there: the path is not stale."""
    path = path or str(tmp_path / SOCKET)

    def daemon() -> list[socket.socket]:
        opened = listen(tmp_path, 3, path)
        leave(tmp_path)
        return opened

    with Service(b"daemon", daemon), running(config=EAGER) as exporter:
        until(lambda: shown(exporter), equals({(path, "daemon"): (3, "false")}))


@pytest.mark.netns
def test_a_socket_that_a_service_has_from_its_manager_has_the_path_that_the_manager_bound(
    tmp_path: Path,
) -> None:
    """The service has mounts of its own, in which something else lies at the path."""

    def activated() -> list[socket.socket]:
        opened = listen(tmp_path, 3, tmp_path / SOCKET)
        if os.fork() == 0:
            syscalls.die_with_parent()
            leave_mounts(tmp_path)
            while True:
                signal.pause()
        set_name(b"systemd")
        return opened

    with Service(b"shopd", activated), running(config=EAGER) as exporter:
        until(lambda: shown(exporter), equals({(str(tmp_path / SOCKET), "shopd"): (3, "false")}))


@pytest.mark.netns
def test_a_socket_that_is_renamed_after_bind_has_its_new_name(tmp_path: Path) -> None:
    """As HAProxy does."""

    def renamed() -> list[socket.socket]:
        opened = listen(tmp_path, 3, tmp_path / f"{SOCKET}.1234.tmp")
        (tmp_path / f"{SOCKET}.1234.tmp").rename(tmp_path / SOCKET)
        return opened

    with Service(b"haproxy", renamed), running(config=EAGER) as daemon:
        until(lambda: shown(daemon), equals({(str(tmp_path / SOCKET), "haproxy"): (3, "false")}))


@pytest.mark.netns
@pytest.mark.parametrize(
    "make_stale",
    [lambda path: path.unlink(), lambda path: (path.unlink(), path.write_text("no socket"))],
    ids=["removed", "replaced"],
)
def test_a_path_that_does_not_lead_to_the_socket_says_so(
    tmp_path: Path, make_stale: Callable[[Path], object]
) -> None:
    path = tmp_path / SOCKET

    def stale() -> list[socket.socket]:
        opened = listen(tmp_path, 3, path)
        make_stale(path)
        return opened

    with Service(b"app", stale), running(config=EAGER) as daemon:
        until(lambda: shown(daemon), equals({(str(path), "app"): (3, "true")}))


@pytest.mark.netns
def test_two_live_sockets_on_one_path_are_two_listeners(tmp_path: Path) -> None:
    """The one that clients reach has the plain address."""
    path = tmp_path / SOCKET

    def bound_twice() -> list[socket.socket]:
        first = listen(tmp_path, 5, path)
        path.unlink()
        return [*first, *listen(tmp_path, 3, path)]

    with Service(b"app", bound_twice), running(config=EAGER) as daemon:
        found = until(
            lambda: shown(daemon), lambda shown: len(shown) == 2 and ("true" in dict(shown.values()).values())
        )
        assert found.pop((str(path), "app")) == (3, "false")
        (((address, process), figures),) = found.items()
        assert address.startswith(f"{path} (inode ")
        assert (process, figures) == ("app", (5, "true"))


@pytest.mark.netns
def test_a_path_by_a_descriptor_is_shown_as_a_path(tmp_path: Path) -> None:
    """As conmon binds its sockets, whose directories have paths that are too long."""

    def by_descriptor() -> list[socket.socket]:
        directory = os.open(tmp_path, os.O_RDONLY)
        return listen(tmp_path, 3, f"/proc/self/fd/{directory}/attach")

    with Service(b"monitor", by_descriptor), running(config=EAGER) as daemon:
        until(lambda: shown(daemon), equals({(str(tmp_path / "attach"), "monitor"): (3, "false")}))
