"""Which containers a daemon can have started, and so may name.

Anybody may run a program under the name of a runtime, and write files about the containers of others. What
nobody can do without the right to it is to be in another cgroup. So a daemon of root names every container,
but one inside a container only those nested in that, and one of another user only those of that user or
of the service that it is part of.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from exporter.owners.cgroup_location import CgroupLocation, parse_cgroup_path
from exporter.owners.cgroup_membership import parse_cgroup_membership
from exporter.owners.runtimes.daemon import ContainerDaemon

ROOT_USER = 0
# The cgroups of a user, in which that user may make others with any name (user@.service(5)).
_OF_USER = re.compile(r"/user\.slice/user-(\d+)\.slice/user@\d+\.service/")
# Whoever has a cgroup may make thousands in it, one below the other. Those of containers are less deep.
_MAX_DEPTH = 64


@dataclass(frozen=True, slots=True)
class Scope:
    """The containers whose cgroup is below one of `above`, or anywhere in the slice `user_slice`.

    Below an empty path is every one but those of users other than root. Of containers inside others there
    are some only where `nested` says so: root in a container may make cgroups in its own, with any name.
    """

    above: tuple[str, ...] = ()
    user_slice: str = ""
    nested: bool = False

    def covers(self, location: CgroupLocation) -> bool:
        """Tell whether the container at this location is one of them."""
        if location.nested and not self.nested:
            return False
        if any(
            location.path.startswith(f"{path}/") if path else not _made_by_user(location)
            for path in self.above
        ):
            return True
        return bool(self.user_slice) and self.user_slice in location.path.split("/")


EVERY_CONTAINER = Scope(("",))


def scope_of(daemon: ContainerDaemon) -> Scope:
    """Return which containers a daemon may name."""
    location = location_of(daemon)
    if not location.path:
        # It has ended. Where the kernel has no cgroups there are no containers.
        return Scope()
    if in_container(location):
        return Scope((container_path(location),), nested=True)
    if daemon.uid == ROOT_USER:
        return EVERY_CONTAINER
    service = _service_path(location.path)
    return Scope((service,) if service else (), f"user-{daemon.uid}.slice")


def location_of(daemon: ContainerDaemon) -> CgroupLocation:
    """Return where a daemon runs."""
    return parse_cgroup_membership(daemon.cgroup)


def in_container(location: CgroupLocation) -> bool:
    """Tell whether a process at this location runs in a container."""
    return bool(location.container_id or location.container or location.pod_uid)


@lru_cache(maxsize=4096)
def container_path(location: CgroupLocation) -> str:
    """Return the path of the cgroup of the innermost container, which a process in it may be far below."""
    innermost = _identity(location)
    for path in _prefixes(location.path):
        if _identity(parse_cgroup_path(path.encode())) == innermost:
            return path
    return location.path


@lru_cache(maxsize=4096)
def host_pod_uid(location: CgroupLocation) -> str:
    """Return the uid of the pod of this host's kubelet, empty where there is none.

    That is the outermost, unless it is in a container, as those of a cluster in a container are, or in the
    cgroups of a user, who may make one with the uid of any pod.
    """
    if _made_by_user(location):
        return ""
    around = (parse_cgroup_path(path.encode()) for path in _prefixes(location.path))
    return next((outermost.pod_uid for outermost in around if in_container(outermost)), "")


def _made_by_user(location: CgroupLocation) -> bool:
    """Tell whether a cgroup is one of those that a user other than root may make."""
    user = _OF_USER.match(location.path)
    return user is not None and int(user[1]) != ROOT_USER


def _identity(location: CgroupLocation) -> tuple[str, str, str, bool]:
    return location.container_id, location.container, location.pod_uid, location.nested


def _service_path(path: str) -> str:
    """Return the path of the outermost service: that of the manager of a user contains all of the user's."""
    return next((prefix for prefix in _prefixes(path) if prefix.endswith(".service")), "")


def _prefixes(path: str) -> list[str]:
    """Return the paths of the cgroups on the way to one, the outermost first, and _MAX_DEPTH of them at most.

    The last is that of the cgroup itself where it is no deeper.
    """
    parts = path.strip("/").split("/", _MAX_DEPTH)[:_MAX_DEPTH]
    return ["/" + "/".join(parts[:count]) for count in range(1, len(parts) + 1)]
