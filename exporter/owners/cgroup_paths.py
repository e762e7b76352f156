"""What OwnerSearch needs of the tree of cgroups."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Protocol


class CgroupPaths(Protocol):
    """The cgroups of version 2, as CgroupTree has them."""

    @property
    def available(self) -> bool:
        """Whether this host has a tree of cgroups of version 2."""
        ...

    def look_for(self, ids: Collection[int], now: float) -> Iterator[None]:
        """Update the paths of these cgroups, in steps. Raises KernelError."""
        ...

    def path(self, cgroup_id: int) -> bytes | None:
        """Return the path of a cgroup, None where it is unknown."""
        ...

    def pids(self, path: bytes) -> list[int]:
        """Return the processes in a cgroup. Raises KernelError."""
        ...
