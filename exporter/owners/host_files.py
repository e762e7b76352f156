"""Files that container runtimes keep, read with care: anybody's program may have put them there."""

from __future__ import annotations

import errno
import os
import stat
from typing import Protocol

# Podman keeps one file for all containers of a host, the others one for each.
_MOST_BYTES = 8 << 20


class FileReader(Protocol):
    """How files are read. Both methods take a whole path and raise OSError."""

    def read(self, path: str) -> bytes:
        """Return the content of a file."""
        ...

    def listing(self, path: str) -> list[str]:
        """Return the names in a directory."""
        ...


class HostFiles:
    """The files of this host, as far as this process may read them."""

    def read(self, path: str) -> bytes:
        """Return the content of a file. Raises OSError, also where it is no file or far too large."""
        with open(path, "rb", opener=_open) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise OSError(errno.EINVAL, os.strerror(errno.EINVAL), path)
            content = file.read(_MOST_BYTES + 1)
        if len(content) > _MOST_BYTES:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return content

    def listing(self, path: str) -> list[str]:
        """Return the names in a directory. Raises OSError."""
        return os.listdir(path)  # noqa: PTH208  (names are all that is needed)


def _open(path: str, flags: int) -> int:
    # A pipe in the place of a file would be waited for.
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
