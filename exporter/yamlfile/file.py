"""Reads the text of a file; one line says why where that cannot be done."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from pathlib import Path

from exporter.yamlfile.errors import ConfigError, printable_path

MAX_BYTES = 1 << 20

_FILE_TYPES = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
}


def content(path: str) -> bytes:
    """Return the content of the file at `path`.

    Raises ConfigError with one line where it cannot be read, is no regular file or is over 1 MiB. Its cause
    is the OSError where there was one.
    """
    descriptor = _open(path)
    try:
        _expect_regular_file(os.fstat(descriptor), path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            found = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise unreadable(path, error) from error
    finally:
        os.close(descriptor)
    if len(found) > MAX_BYTES:
        raise too_large(path)
    return found


def too_large(path: str) -> ConfigError:
    """Return the error about a file of more than 1 MiB."""
    message = f"{printable_path(path)}: is over 1 MiB, the most that is read; check the name of the file"
    return ConfigError([message])


def _open(path: str) -> int:
    try:
        # To open a device may do something. It is looked at again once it is open.
        _expect_regular_file(Path(path).stat(), path)
        # Without O_NONBLOCK, open() of a FIFO blocks until another process opens it for writing (fifo(7)).
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise unreadable(path, error) from error
    except ValueError as error:
        name = printable_path(path)
        raise ConfigError([f"{name}: no file can have this name; check the flag"]) from error


def _expect_regular_file(found: os.stat_result, path: str) -> None:
    file_type = stat.S_IFMT(found.st_mode)
    if file_type != stat.S_IFREG:
        name, kind = printable_path(path), _FILE_TYPES.get(file_type, "a device")
        raise ConfigError([f"{name}: is {kind}; a regular file belongs here"])


def unreadable(path: str, error: OSError) -> ConfigError:
    """Return the error about a file that could not be read."""
    reason = (error.strerror or str(error)).lower()
    user = f" (by user id {os.geteuid()})" if isinstance(error, PermissionError) else ""
    return ConfigError([f"{printable_path(path)}: cannot be read{user}: {reason}"])


def text(path: str, read: Callable[[str], bytes] = content) -> str:
    """Return the text of the file at `path`, whose bytes `read` returns.

    Raises ConfigError as content() does, and where it is not UTF-8.
    """
    try:
        return _decoded(read(path), printable_path(path))
    except MemoryError as error:
        raise ConfigError([f"{printable_path(path)}: there is no memory to read it"]) from error


def _decoded(found: bytes, name: str) -> str:
    try:
        return found.decode("utf-8")
    except UnicodeDecodeError as error:
        before = found[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        raise ConfigError(
            [f"{name}:{line}:{column}: this byte is not UTF-8; save the file in UTF-8"]
        ) from error
