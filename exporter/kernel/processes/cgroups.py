"""The tree of cgroups of version 2: which directory has which id, and which processes are in it.

The id that INET_DIAG_CGROUP_ID tells is the inode number of the directory (cgroup_id and
kernfs_ino, include/linux/cgroup.h and include/linux/kernfs.h). Anybody may read all of this.
Sources: https://docs.kernel.org/admin-guide/cgroup-v2.html, proc_pid_mountinfo(5).
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from exporter.kernel.errors import from_errno

# A walk reads every directory, and a host has hundreds.
_AGAIN_SECONDS = 3.0
# A directory that went while it was read, or is kept from this user, is no error. A cgroup of
# threads has no list of processes (cgroup-v2.rst, "Threads").
_SKIPPED = frozenset({errno.ENOENT, errno.ENODEV, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EOPNOTSUPP})
# mountinfo writes a blank, tab, newline and backslash as an octal number.
_OCTAL = re.compile(rb"\\([0-7]{3})")


@dataclass(frozen=True, slots=True)
class Mount:
    """Where the tree is mounted, and which cgroup's directory stands there: `/` for the whole tree."""

    point: bytes
    top: bytes


def find_mount(mountinfo: bytes) -> Mount | None:
    """Find the mount of cgroup2 that shows most, also beside version 1; None where there is none.

    For a reader in a cgroup namespace the host's own tree has `..` in its top.
    """
    mounts = [mount for line in mountinfo.split(b"\n") if (mount := _mount(line)) is not None]
    return min(mounts, key=lambda mount: (-mount.top.count(b".."), len(mount.top)), default=None)


def _mount(line: bytes) -> Mount | None:
    # Before the dash stand six fields and any number of optional ones, behind it the type.
    before, dash, behind = line.partition(b" - ")
    fields = before.split(b" ")
    if not dash or behind.split(b" ")[0] != b"cgroup2" or len(fields) < 6:  # noqa: PLR2004
        return None
    top, point = (_OCTAL.sub(lambda found: bytes([int(found[1], 8) & 0xFF]), field) for field in fields[3:5])
    return Mount(point, top)


class CgroupTree:
    """The paths of cgroups by id, as the last walk found them."""

    def __init__(self, root: Path = Path("/")) -> None:
        """Find the mount below `root`; no walk is made yet."""
        try:
            mountinfo = (root / "proc/self/mountinfo").read_bytes()
        except OSError:
            mountinfo = b""
        self.mount = find_mount(mountinfo)
        self._at = os.fsencode(root).rstrip(b"/") + (self.mount.point if self.mount else b"")
        # Above the namespace of this process nothing has a name; below it, what is not shown does.
        top = self.mount.top.strip(b"/") if self.mount else b""
        self._above = b"/" + top if top and b".." not in top else b""
        self._paths: dict[int, bytes] = {}
        self._absent: frozenset[int] = frozenset()
        self._walked = float("-inf")

    @property
    def available(self) -> bool:
        """Whether this host shows a tree of version 2 at all."""
        return self.mount is not None

    def path(self, cgroup_id: int) -> bytes | None:
        """Return the path that the last walk found for an id, as /proc/<pid>/cgroup would show it."""
        return self._paths.get(cgroup_id)

    def look_for(self, ids: Collection[int], now: float) -> Iterator[None]:
        """Walk the tree where any of these ids is unknown, one directory a step.

        `ids` are all that are of interest. No walk is made within seconds of another (`now` is
        monotonic), nor for an id that a whole walk did not show: its directory was removed, or is
        outside of what this process may see. Raises KernelError.
        """
        unknown = set(ids) - self._paths.keys() - self._absent
        if not self.available or not unknown or now - self._walked < _AGAIN_SECONDS:
            return
        self._walked = now
        found = self._top()
        waiting = [b""]
        while waiting:
            path = waiting.pop()
            for inode, below in self._below(path):
                found[inode] = self._above + below
                waiting.append(below)
            yield
        self._paths = found
        self._absent = frozenset(set(ids) - found.keys())

    def pids(self, path: bytes) -> list[int]:
        """Return the processes that are in a cgroup itself, not below it; none where it is gone.

        Raises KernelError.
        """
        if not self.available or not path.startswith(self._above):
            return []
        name = self._at + path.removeprefix(self._above) + b"/cgroup.procs"
        try:
            content = Path(os.fsdecode(name)).read_bytes()
        except OSError as error:
            if error.errno in _SKIPPED:
                return []
            raise from_errno(f"cannot read {os.fsdecode(name)}", error.errno or 0) from error
        # 0 stands for a process of a pid namespace that this one does not see.
        return [int(line) for line in content.split() if line.isdigit() and line != b"0"]

    def _top(self) -> dict[int, bytes]:
        try:
            return {Path(os.fsdecode(self._at)).stat().st_ino: self._above or b"/"}
        except OSError:
            return {}

    def _below(self, path: bytes) -> list[tuple[int, bytes]]:
        """Return id and path of each directory in one."""
        try:
            with os.scandir(self._at + path) as entries:
                return [
                    (entry.inode(), path + b"/" + entry.name)
                    for entry in entries
                    if entry.is_dir(follow_symlinks=False)
                ]
        except OSError as error:
            if error.errno in _SKIPPED:
                return []
            raise from_errno(f"cannot read {os.fsdecode(self._at + path)}", error.errno or 0) from error
