"""The tree of cgroups of version 2: which directory has which id, and which processes are in it.

The id of INET_DIAG_CGROUP_ID is the inode number of the directory (cgroup_id and kernfs_ino,
include/linux/cgroup.h and include/linux/kernfs.h). All of it is readable without privilege. Source:
https://docs.kernel.org/admin-guide/cgroup-v2.html, proc_pid_mountinfo(5).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exporter.kernel.errors import from_os_error

# A walk reads every directory, and a host has hundreds.
_WALK_PAUSE_SECONDS: Final = 3.0
# A directory that was removed while it was read, or that this user may not read, is no error. A cgroup of
# threads has no list of processes (cgroup-v2.rst, "Threads").
_SKIPPED: Final = frozenset(
    {errno.ENOENT, errno.ENODEV, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EOPNOTSUPP}
)
# mountinfo has blanks, tabs, newlines and backslashes as octal numbers.
_OCTAL: Final = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """A mount of cgroup2 at `point`, which shows the tree from the cgroup `top` on: `/` for all of it."""

    point: bytes
    top: bytes


def find_mount(mountinfo: bytes) -> Mount | None:
    """Find the mount of cgroup2 that shows the largest part of the tree; None where there is none.

    For a process in a cgroup namespace the host's own tree has `..` in its top.
    """
    mounts = [mount for line in mountinfo.split(b"\n") if (mount := _mount(line)) is not None]
    return min(mounts, key=lambda mount: (-mount.top.count(b".."), len(mount.top)), default=None)


def _mount(line: bytes) -> Mount | None:
    # Six fields and any number of optional ones come before the dash, the type after it.
    before, dash, after = line.partition(b" - ")
    fields = before.split(b" ")
    if not dash or after.split(b" ")[0] != b"cgroup2" or len(fields) < 6:  # noqa: PLR2004
        return None
    top, point = (_OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), field) for field in fields[3:5])
    return Mount(point, top)


def _mountinfo(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        if error.errno in _SKIPPED:
            return b""
        raise from_os_error(f"cannot read {path}", error) from error


class CgroupTree:
    """The paths of cgroups by id, as the last walk over the tree found them.

    `mount` is where the tree is mounted, None where it is not.
    """

    def __init__(self, root: Path = Path("/")) -> None:
        """Find the mount below `root`; no walk is made yet. Raises KernelError."""
        self.mount = find_mount(_mountinfo(root / "proc/self/mountinfo"))
        self._directory = os.fsencode(root).rstrip(b"/") + (self.mount.point if self.mount else b"")
        # What a path has before the part that the mount shows. Outside of the cgroup namespace of this
        # process, which `..` leads to, cgroups have no path.
        top = self.mount.top.strip(b"/") if self.mount else b""
        self._prefix = b"/" + top if top and b".." not in top else b""
        self._paths: dict[int, bytes] = {}
        self._absent: frozenset[int] = frozenset()
        self._walked: float | None = None

    @property
    def available(self) -> bool:
        """Whether the tree is mounted."""
        return self.mount is not None

    def path(self, cgroup_id: int) -> bytes | None:
        """Return the path that the last walk found for an id, in the form of /proc/<pid>/cgroup."""
        return self._paths.get(cgroup_id)

    def look_for(self, ids: Collection[int], now: float) -> Iterator[None]:
        """Walk over the tree where any of these ids is unknown, one directory a step.

        `ids` are all that are of interest. No walk is made within seconds of another (`now` is monotonic),
        nor for an id that a whole walk did not find: its directory was removed, or this process may not see
        it. Raises KernelError.
        """
        unknown = set(ids) - self._paths.keys() - self._absent
        if not self.available or not unknown:
            return
        if self._walked is not None and now - self._walked < _WALK_PAUSE_SECONDS:
            return
        self._walked = now
        found = self._top()
        unread = [b""]
        while unread:
            for inode, path in self._children(unread.pop()):
                found[inode] = self._prefix + path
                unread.append(path)
            yield
        self._paths = found
        self._absent = frozenset(set(ids) - found.keys())

    def pids(self, path: bytes) -> list[int]:
        """Return the processes in a cgroup itself, not in those below it; none where it is gone.

        Raises KernelError.
        """
        if not self.available or not path.startswith(self._prefix):
            return []
        name = self._directory + path.removeprefix(self._prefix) + b"/cgroup.procs"
        try:
            content = Path(os.fsdecode(name)).read_bytes()
        except OSError as error:
            if error.errno in _SKIPPED:
                return []
            raise from_os_error(f"cannot read {os.fsdecode(name)}", error) from error
        # 0 stands for a process of a pid namespace that this one does not see.
        return [int(line) for line in content.split() if line.isdigit() and line != b"0"]

    def _top(self) -> dict[int, bytes]:
        try:
            return {Path(os.fsdecode(self._directory)).stat().st_ino: self._prefix or b"/"}
        except OSError as error:
            if error.errno in _SKIPPED:
                return {}
            raise from_os_error(f"cannot read {os.fsdecode(self._directory)}", error) from error

    def _children(self, path: bytes) -> list[tuple[int, bytes]]:
        """Return id and path of each cgroup in one. Raises KernelError."""
        try:
            with os.scandir(self._directory + path) as entries:
                return [
                    (entry.inode(), path + b"/" + entry.name)
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False)
                ]
        except OSError as error:
            if error.errno in _SKIPPED:
                return []
            raise from_os_error(f"cannot read {os.fsdecode(self._directory + path)}", error) from error
