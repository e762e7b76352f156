"""Where the files of unix sockets lie, and what is told of them."""

from __future__ import annotations

import pytest

from exporter.kernel.processes.files import BoundSocket, HeldSocket, SocketFile, SocketFileState
from exporter.kernel.processes.process import Process
from exporter.kernel.records import FileId, Listener
from exporter.owners.socket_paths import AS_BOUND, SocketPath, SocketPaths
from tests.listeners.sockets import tcp, unix
from tests.owners.fake_host import FakeLookups

PROCESS = Process(7, 70, b"shopd")
FILE = FileId(3, 4)


def held(name: bytes) -> HeldSocket:
    """What is looked up of a socket with this name."""
    return HeldSocket(7, 70, BoundSocket(name, 3, 4))


def path_of(name: bytes, found: SocketFile | None) -> SocketPath:
    """What is told of a socket with this name, where this was found."""
    files = FakeLookups[HeldSocket, SocketFile]()
    if found is not None:
        files.answers[held(name)] = found
    return SocketPaths(files).path(unix(1, name, file=FILE), PROCESS)


@pytest.mark.parametrize(
    ("name", "found", "told"),
    [
        (b"/run/x", SocketFile(SocketFileState.SAME, b"/run/x"), AS_BOUND),
        (b"x", SocketFile(SocketFileState.SAME, b"/run/x"), SocketPath("/run/x")),
        (b"/run/x.1.tmp", SocketFile(SocketFileState.RENAMED, b"/run/x"), SocketPath("/run/x")),
        (b"/run/x", SocketFile(SocketFileState.STALE, b"/run/x"), SocketPath(stale=True)),
        (b"/run/./x", SocketFile(SocketFileState.STALE, b"/run/x"), SocketPath("/run/x", stale=True)),
        (b"x", SocketFile(SocketFileState.UNKNOWN, errno=2), AS_BOUND),
        (b"/run/x", SocketFile(SocketFileState.SAME), AS_BOUND),
        (b"x", SocketFile(SocketFileState.UNKNOWN, b"/run/x", 13), AS_BOUND),
        (b"x", None, AS_BOUND),
        (b"x\n", SocketFile(SocketFileState.SAME, b"/run/x\n"), SocketPath(r"/run/x\x0a")),
    ],
)
def test_an_address_is_told_where_it_is_another_than_was_bound(
    name: bytes, found: SocketFile | None, told: SocketPath
) -> None:
    assert path_of(name, found) == told


@pytest.mark.parametrize(
    "listener", [tcp(1), unix(1, b"\0abstract"), unix(1, b"/run/x"), unix(1, b"\0a", file=FILE)]
)
def test_a_socket_without_a_file_is_not_looked_up(listener: Listener) -> None:
    files = FakeLookups[HeldSocket, SocketFile](default=SocketFile(SocketFileState.STALE, b"/x"))
    paths = SocketPaths(files)
    assert paths.path(listener, PROCESS) == AS_BOUND
    assert paths.settled(listener, PROCESS)


def test_a_path_is_waited_for() -> None:
    files = FakeLookups[HeldSocket, SocketFile](pending={held(b"/run/x")})
    paths = SocketPaths(files)
    assert not paths.settled(unix(1, b"/run/x", file=FILE), PROCESS)
    assert paths.settled(unix(1, b"/run/y", file=FILE), PROCESS)


def test_what_is_no_longer_held_is_forgotten() -> None:
    files = FakeLookups[HeldSocket, SocketFile]()
    paths = SocketPaths(files)
    paths.retain([(unix(1, b"/run/x", file=FILE), PROCESS), (tcp(2), PROCESS)])
    assert files.retained == {held(b"/run/x")}
    paths.poll()
    assert files.polls == 1
