"""Where a path of a process may lead for others: the roots and directories of the processes it descends from.

A process may have got another root, mount namespace or working directory after it bound a socket, or has
inherited the socket from one that had others. Its clients have those in which the path leads to the file.
"""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator
from contextlib import suppress
from typing import Final, NamedTuple

from exporter import proc
from exporter.broker.process_files import open_other_thread

# A process has so many ancestors at most that are looked at.
_MAX_ANCESTORS: Final = 16
_INIT_PID: Final = 1

# The mount namespace, and device and inode of a directory.
_Identity = tuple[str, int, int]


class View(NamedTuple):
    """The open directory of a process in /proc, and its open root."""

    process: int
    root: int


def other_views(procfs: str, pid: int, process: int, link: str) -> Generator[View | None, None, None]:
    """Yield one ancestor of a process, or process 1, for each place where `link` leads and its own does not.

    `process` is the open directory of the process in /proc, `link` is `root` or `cwd`. A place is a directory
    in a mount namespace. The views are closed after each step; those that may not be looked at are None.
    Raises OSError where that is so of the process itself.
    """
    known = {_identity(process, link)}
    for each in _ancestors(procfs, pid):
        view = None
        with suppress(OSError):
            view = _open(procfs, each)
        try:
            identity = None
            with suppress(OSError):
                identity = _identity(view.process, link) if view is not None else None
            if identity is None:
                yield None
            elif identity not in known:
                known.add(identity)
                yield view
        finally:
            for descriptor in view or ():
                os.close(descriptor)


def _ancestors(procfs: str, pid: int) -> Iterator[int]:
    """Yield the ancestors of a process, the nearest first, and at last process 1."""
    for _ in range(_MAX_ANCESTORS):
        try:
            pid = proc.parent(proc.read_file(f"{procfs}/{pid}/stat"))
        except (OSError, ValueError):
            break
        if pid == 0:
            return
        yield pid
    if pid != _INIT_PID:
        yield _INIT_PID


def _open(procfs: str, pid: int) -> View:
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    process = os.open(f"{procfs}/{pid}", flags)
    try:
        if proc.first_thread_has_ended(proc.read_file(f"{procfs}/{pid}/stat")):
            thread = open_other_thread(process, pid)
            os.close(process)
            process = thread
        return View(process, os.open("root", flags, dir_fd=process))
    except OSError:
        os.close(process)
        raise


def _identity(process: int, link: str) -> _Identity:
    status = os.stat(link, dir_fd=process)
    return os.readlink("ns/mnt", dir_fd=process), status.st_dev, status.st_ino
