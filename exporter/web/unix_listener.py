"""Listening unix sockets, and their files."""

from __future__ import annotations

import contextlib
import errno
import os
import socket
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exporter.errors import RunError
from exporter.web.address import UnixAddress
from exporter.web.tcp_listener import BACKLOG

# What connect() answers where nobody listens, or the file has just gone.
_STALE: Final = frozenset({errno.ECONNREFUSED, errno.ENOENT})
# And where a process does, EAGAIN where its queue is full.
_ALIVE: Final = frozenset({0, errno.EAGAIN})


@dataclass(frozen=True, slots=True)
class SocketPermissions:
    """Permissions and owner of the files of unix sockets; None leaves user or group as they are."""

    mode: int = 0o660
    uid: int | None = None
    gid: int | None = None


class UnixListener(socket.socket):
    """A listening unix socket. Closing it removes its file, unless another has taken its place."""

    _file: tuple[int, int] | None = None

    def open(self, path: str, file: SocketPermissions) -> None:
        """Bind and listen. Raises OSError."""
        # So that nobody may connect before owner and mode are right.
        before = os.umask(0o777)
        try:
            self.bind(path)
        finally:
            os.umask(before)
        self._file = _identity(path)
        if file.uid is not None or file.gid is not None:
            uid, gid = (-1 if number is None else number for number in (file.uid, file.gid))
            os.chown(path, uid, gid, follow_symlinks=False)
        Path(path).chmod(file.mode)
        self.listen(BACKLOG)
        self.setblocking(False)  # noqa: FBT003  (the standard library's signature)

    def close(self) -> None:
        """Close the socket and remove its file."""
        if self._file is not None:
            # Without the right to write in the directory it stays, and the next exporter removes it.
            with contextlib.suppress(OSError):
                path = self.getsockname()
                if _identity(path) == self._file:
                    Path(path).unlink()
            self._file = None
        super().close()


def open_unix(address: UnixAddress, file: SocketPermissions) -> UnixListener:
    """Open a listening unix socket, in place of one that nobody listens on. Raises RunError."""
    _remove_stale(address)
    listener = UnixListener(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        listener.open(address.path, file)
    except BaseException as error:
        listener.close()
        if isinstance(error, OSError):
            raise _run_error(address, error) from error
        raise
    return listener


def _remove_stale(address: UnixAddress) -> None:
    """Remove the file of a socket that nobody listens on. Raises RunError for any other file."""
    try:
        found = os.lstat(address.path)
    except OSError:
        # There is none, or bind() says why there can be none.
        return
    if not stat.S_ISSOCK(found.st_mode):
        raise RunError(f"cannot listen on {address}: the file is there and is no socket; choose another path")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.setblocking(False)  # noqa: FBT003  (the standard library's signature)
        answer = probe.connect_ex(address.path)
    if answer in _ALIVE:
        raise RunError(
            f"cannot listen on {address}: another process listens there; "
            f"`ss -lxp src {address.path}` names it; stop that, or choose another path"
        )
    if answer not in _STALE:
        raise RunError(
            f"cannot listen on {address}: a socket is there, and whether it is in use is not known "
            f"({os.strerror(answer)}); remove the file where it is not, or choose another path"
        )
    # Another exporter may have replaced it meanwhile.
    with contextlib.suppress(OSError):
        if os.path.samestat(os.lstat(address.path), found):
            Path(address.path).unlink()


def _identity(path: str) -> tuple[int, int]:
    found = os.lstat(path)
    return found.st_dev, found.st_ino


def _run_error(address: UnixAddress, error: OSError) -> RunError:
    match error.errno:
        case errno.ENOENT | errno.ENOTDIR:
            advice = "the directory does not exist; make it, or choose another path"
        case errno.EACCES | errno.EPERM | errno.EROFS:
            advice = (
                f"{error.strerror}; the directory has to be writable, and the owner one that may be given"
            )
        case _:
            advice = f"{error.strerror or error}; choose another path"
    return RunError(f"cannot listen on {address}: {advice}")
