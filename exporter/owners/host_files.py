"""Files that container runtimes write. Others may write there too, so nothing about a file is trusted."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from itertools import islice
from typing import Protocol

from exporter.broker.host_files import MAX_NAMES, HostFile, RuntimeDirectory, RuntimeFile
from exporter.broker.regular_file import read_found
from exporter.kernel.errors import KernelError


class FileReader(Protocol):
    """Reads files and directories by absolute path. Both methods raise OSError."""

    def read(self, path: str, max_bytes: int) -> bytes:
        """Return the content of a file; one that is larger is an error."""
        ...

    def names(self, path: str) -> list[str]:
        """Return the names in a directory, in any order."""
        ...


class HostFiles:
    """The files of this host."""

    def read(self, path: str, max_bytes: int) -> bytes:
        """Return the content of a regular file.

        A file of the kernel, which has no size and may be consumed by reading, counts as empty.

        Raises OSError: EINVAL where it is not a regular file, EFBIG where it is larger, and what
        open(2) and read(2) fail with.
        """
        found = os.open(path, os.O_PATH | os.O_CLOEXEC)
        try:
            return read_found(found, max_bytes)
        except OSError as error:
            error.filename = path
            raise
        finally:
            os.close(found)

    def names(self, path: str) -> list[str]:
        """Return the names in a directory, 65,536 at most. Raises OSError."""
        with os.scandir(path) as entries:
            return [entry.name for entry in islice(entries, MAX_NAMES)]


class ProtectedHostFiles:
    """The files of this host, those that this process may not read by way of the file broker."""

    def __init__(self, broker: Callable[[HostFile], bytes], direct: FileReader | None = None) -> None:
        """Take what reads a file, or the names in a directory; it raises OSError and KernelError."""
        self._broker = broker
        self._direct = HostFiles() if direct is None else direct

    def read(self, path: str, max_bytes: int) -> bytes:
        """Return the content of a regular file, as HostFiles does. Raises OSError."""
        try:
            return self._direct.read(path, max_bytes)
        except PermissionError:
            content = self._ask(RuntimeFile(os.fsencode(path)))
        if len(content) > max_bytes:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return content

    def names(self, path: str) -> list[str]:
        """Return the names in a directory. Raises OSError."""
        try:
            return self._direct.names(path)
        except PermissionError:
            found = self._ask(RuntimeDirectory(os.fsencode(path)))
            return list(map(os.fsdecode, found.split(b"\0"))) if found else []

    def _ask(self, file: HostFile) -> bytes:
        try:
            return self._broker(file)
        except KernelError as error:
            raise OSError(errno.EIO, str(error)) from error
