"""Files that container runtimes write. Others may write there too, so nothing about a file is trusted."""

from __future__ import annotations

import errno
import os
import stat
from typing import Protocol

# Podman has one file for all containers of a host, the other runtimes one for each.
_MAX_BYTES = 8 << 20


class FileReader(Protocol):
    """Reads files and directories by absolute path. Both methods raise OSError."""

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        ...

    def names(self, path: str) -> list[str]:
        """Return the names in a directory, in any order."""
        ...


class HostFiles:
    """The files of this host."""

    def read(self, path: str) -> bytes:
        """Return the content of a regular file.

        Raises OSError: EINVAL where it is not a regular file, EFBIG where it is larger than 8 MiB, and what
        open(2) and read(2) fail with.
        """
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return content

    def names(self, path: str) -> list[str]:
        """Return the names in a directory. Raises OSError."""
        return os.listdir(path)  # noqa: PTH208  (names are all that is needed)


def _open(path: str, flags: int) -> int:
    # Without O_NONBLOCK, opening a named pipe waits for a writer.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
