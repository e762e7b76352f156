"""Reads the bytes of a configuration file; one line says why where they cannot be read."""

from __future__ import annotations

import os
import stat

from exporter.config.errors import ConfigError, printable
from exporter.config.model import Config
from exporter.config.parse import parse

MAX_BYTES = 1 << 20

_FILE_TYPES = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a pipe",
}


def load(path: str) -> Config:
    """Return the configuration in the file at `path`.

    Raises ConfigError, with every error in the file, or with one line where the file cannot be
    read, is no regular file, is over 1 MiB, or is not UTF-8.
    """
    return parse(_text(_content(path), path), path)


def _content(path: str) -> bytes:
    descriptor = _open(path)
    try:
        _expect_regular_file(descriptor, path)
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(path, error) from error
    finally:
        os.close(descriptor)
    if len(content) > MAX_BYTES:
        raise ConfigError([f"{path}: is over 1 MiB, the most that is read; check the name of the file"])
    return content


def _open(path: str) -> int:
    try:
        # Without O_NONBLOCK, open() of a FIFO blocks until another process opens it for writing (fifo(7)).
        return os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _unreadable(path, error) from error
    except ValueError as error:
        raise ConfigError([f"{printable(path)}: no file can have this name; check --config.file"]) from error


def _expect_regular_file(descriptor: int, path: str) -> None:
    file_type = stat.S_IFMT(os.fstat(descriptor).st_mode)
    if file_type != stat.S_IFREG:
        raise ConfigError(
            [f"{path}: is {_FILE_TYPES.get(file_type, 'a device')}; a regular file belongs here"]
        )


def _unreadable(path: str, error: OSError) -> ConfigError:
    reason = (error.strerror or str(error)).lower()
    user = f" (by user id {os.geteuid()})" if isinstance(error, PermissionError) else ""
    return ConfigError([f"{path}: cannot be read{user}: {reason}"])


def _text(content: bytes, path: str) -> str:
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as error:
        before = content[: error.start].decode("utf-8")
        line = before.count("\n") + 1
        column = len(before) - (before.rfind("\n") + 1) + 1
        raise ConfigError(
            [f"{path}:{line}:{column}: this byte is not UTF-8; save the file in UTF-8"]
        ) from error
