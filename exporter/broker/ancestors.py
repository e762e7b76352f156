"""The roots of the processes from which another one descends."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Final

from exporter import proc

# A process has so many ancestors at most that are looked at.
_MAX_ANCESTORS: Final = 16


def other_roots(procfs: str, pid: int, process: int) -> Generator[int, None, None]:
    """Yield each root that ancestors of a process have and itself has not, open while it is looked at.

    `process` is its open directory in /proc. Ancestors in another mount namespace do not count, nor do those
    that may not be looked at. Raises OSError.
    """
    namespace = os.readlink("ns/mnt", dir_fd=process)
    known = {_identity(os.stat("root", dir_fd=process))}
    for ancestor in _ancestors(procfs, pid):
        directory = f"{procfs}/{ancestor}"
        with suppress(OSError):
            if os.readlink(f"{directory}/ns/mnt") != namespace:  # noqa: PTH115
                continue
            root = os.open(f"{directory}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                identity = _identity(os.fstat(root))
                if identity not in known:
                    known.add(identity)
                    yield root
            finally:
                os.close(root)


def _ancestors(procfs: str, pid: int) -> Iterator[int]:
    for _ in range(_MAX_ANCESTORS):
        try:
            pid = proc.parent(proc.read_file(f"{procfs}/{pid}/stat"))
        except (OSError, ValueError):
            return
        if pid == 0:
            return
        yield pid


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
