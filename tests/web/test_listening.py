"""Unix sockets, devices, and addresses that exclude each other."""

from __future__ import annotations

import errno
import os
import socket
import stat
from pathlib import Path

import pytest

from exporter.errors import RunError, UsageError
from exporter.web.address import ListenAddress, UnixAddress, parse_address
from exporter.web.listening import bind, name_of
from exporter.web.unix_listener import SocketPermissions
from testbed import programs


def test_unix_socket_has_mode_and_owner_and_goes_with_its_listener(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    [listener] = bind([UnixAddress(str(path))], file=SocketPermissions(0o620, os.getuid(), os.getgid()))
    assert stat.S_IMODE(path.stat().st_mode) == 0o620
    assert name_of(listener) == f"unix:{path}"
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
    listener.close()
    assert not path.exists()


def test_socket_that_nobody_listens_on_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path))
    [listener] = bind([UnixAddress(str(path))])
    listener.close()


def test_socket_that_somebody_listens_on_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as alive:
        alive.bind(str(path))
        alive.listen()
        with pytest.raises(RunError, match="another process listens there"):
            bind([UnixAddress(str(path))])
        assert path.exists()


def test_socket_whose_queue_is_full_stays(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as alive, socket.socket(socket.AF_UNIX) as client:
        alive.bind(str(path))
        alive.listen(0)
        client.connect(str(path))
        with pytest.raises(RunError, match="another process listens there"):
            bind([UnixAddress(str(path))])


def test_socket_that_cannot_be_connected_to_stays_and_it_is_said_why(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(str(path))
        with pytest.raises(RunError, match=r"\(Protocol wrong type for socket\); remove the file"):
            bind([UnixAddress(str(path))])
    assert path.exists()


@pytest.mark.parametrize("make", [Path.touch, Path.mkdir, lambda path: path.symlink_to("nothing")])
def test_what_is_no_socket_stays(tmp_path: Path, make: object) -> None:
    path = tmp_path / "x.sock"
    assert callable(make)
    make(path)
    with pytest.raises(RunError, match="is no socket"):
        bind([UnixAddress(str(path))])
    assert os.path.lexists(path)


def test_file_of_another_listener_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    [listener] = bind([UnixAddress(str(path))])
    path.unlink()
    path.touch()
    listener.close()
    assert path.exists()


def test_directory_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="the directory does not exist"):
        bind([UnixAddress(str(tmp_path / "a/x.sock"))])


@pytest.mark.netns
def test_device() -> None:
    """The listener is bound to it, and named with it."""
    [listener] = bind([ListenAddress.parse("127.0.0.1:0%lo")])
    assert listener.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, 16).rstrip(b"\0") == b"lo"
    assert name_of(listener) == f"127.0.0.1:{listener.getsockname()[1]}%lo"
    listener.close()


@pytest.mark.parametrize("text", ["[::1]:0", "127.0.0.1:0"])
def test_without_a_device_it_is_named_with_none(text: str) -> None:
    [listener] = bind([ListenAddress.parse(text)])
    assert name_of(listener) == f"{text[:-1]}{listener.getsockname()[1]}"
    listener.close()


@pytest.mark.netns
def test_a_link_local_address_is_named_with_its_interface() -> None:
    # Without duplicate address detection, so that it can be used at once.
    programs.output("ip", "address", "add", "fe80::1/64", "dev", "lo", "nodad")
    [listener] = bind([ListenAddress.parse("[fe80::1%lo]:10511")])
    assert name_of(listener) == "[fe80::1%lo]:10511"
    listener.close()


def test_a_device_takes_a_capability_on_old_kernels() -> None:
    """Before Linux 5.7; the port is not to blame."""

    def open_socket(family: int, kind: int) -> socket.socket:
        class Unprivileged(socket.socket):
            def setsockopt(self, level: int, option: int, *value: object) -> None:
                if option == socket.SO_BINDTODEVICE:
                    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
                super().setsockopt(level, option, *value)  # type: ignore[call-overload]

        return Unprivileged(family, kind)

    with pytest.raises(RunError, match=r"cannot listen on 127.0.0.1:0%lo: not permitted; .* CAP_NET_RAW"):
        bind([ListenAddress.parse("127.0.0.1:0%lo")], open_socket)


@pytest.mark.parametrize("text", [":1%nope0", "[fe80::1%nope0]:1"])
def test_device_that_is_missing(text: str) -> None:
    with pytest.raises(RunError, match="no interface 'nope0'"):
        bind([ListenAddress.parse(text)])


@pytest.mark.netns
def test_broadcast_address_of_an_interface() -> None:
    with pytest.raises(RunError, match="broadcast address"):
        bind([ListenAddress("127.255.255.255", 0)])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("127.0.0.1:1", "127.0.0.1:1"),
        (":1", "127.0.0.1:1"),
        (":1", "[::1]:1"),
        ("0.0.0.0:1", "[::]:1"),
        ("127.0.0.1:1", "0.0.0.0:1"),
        (":1", ":1%eth1"),
        ("127.0.0.1:1%eth1", "127.0.0.1:1"),
        ("0.0.0.0:1%eth1", "127.0.0.1:1"),
        ("0.0.0.0:1%eth1", "127.0.0.1:1%eth1"),
        ("unix:/x", "unix:/x"),
    ],
)
def test_addresses_that_exclude_each_other(one: str, other: str) -> None:
    with pytest.raises(UsageError, match="overlap; give one of them"):
        bind([parse_address(one), parse_address(other)])


def test_addresses_that_go_together() -> None:
    for listener in bind([parse_address(text) for text in ("127.0.0.1:0", "127.0.0.1:0", "127.0.0.2:0")]):
        listener.close()


def test_addresses_on_different_devices_go_together() -> None:
    with pytest.raises(RunError, match="no interface 'nope0'"):
        bind([parse_address(text) for text in (":10511%nope0", ":10511%nope1")])
