"""Where sockets were created: the kernel tells the cgroup of each TCP socket.

That gives unit, container and pod of a socket whose process cannot be found.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from exporter.kernel.records import Listener
from exporter.owners.cgroup_location import CgroupLocation, parse_cgroup_path
from exporter.owners.cgroup_paths import CgroupPaths

# The id of the root cgroup, which every socket has on a host without cgroups of version 2.
_ROOT_CGROUP: Final = 1
NOWHERE: Final = CgroupLocation()


class CreationCgroups:
    """The cgroups of sockets by inode, and the locations of those that were looked for."""

    def __init__(self, cgroups: CgroupPaths) -> None:
        """Take the cgroups of the host; nothing is read yet."""
        self._cgroups = cgroups
        self._cgroup_ids: dict[int, int] = {}
        self._locations: dict[int, CgroupLocation] = {}

    def set_sockets(self, listeners: Collection[Listener]) -> None:
        """Set which sockets listen; what is known of others is forgotten."""
        self._cgroup_ids = {
            listener.inode: listener.cgroup_id for listener in listeners if listener.cgroup_id > _ROOT_CGROUP
        }
        used = set(self._cgroup_ids.values())
        self._locations = {cgroup: place for cgroup, place in self._locations.items() if cgroup in used}

    def known(self, inodes: Collection[int]) -> set[int]:
        """Return those of these sockets that have a cgroup of which the processes can be listed."""
        return set(inodes) & self._cgroup_ids.keys() if self._cgroups.available else set()

    def look_for(self, inodes: Collection[int], now: float) -> Iterator[None]:
        """Find the locations of these sockets, in steps. Raises KernelError."""
        yield from self._cgroups.look_for(set(self._cgroup_ids.values()), now)
        for inode in self._cgroup_ids.keys() & set(inodes):
            cgroup_id = self._cgroup_ids[inode]
            path = self._cgroups.path(cgroup_id)
            if path is not None and cgroup_id not in self._locations:
                self._locations[cgroup_id] = parse_cgroup_path(path)

    def pids(self, inodes: Collection[int]) -> set[int]:
        """Return the processes in the cgroups of these sockets. Raises KernelError."""
        paths = {
            self._cgroups.path(self._cgroup_ids[inode]) for inode in self._cgroup_ids.keys() & set(inodes)
        }
        return {pid for path in paths if path is not None for pid in self._cgroups.pids(path)}

    def location(self, inode: int) -> CgroupLocation:
        """Return where a socket was created, NOWHERE where that is not known."""
        return self._locations.get(self._cgroup_ids.get(inode, 0), NOWHERE)

    def locations(self) -> Collection[CgroupLocation]:
        """Return all locations that are known."""
        return self._locations.values()
