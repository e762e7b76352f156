"""Directories in which container runtimes keep files, and which containers may be named by what is there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol, TypeVar

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.runtimes.scope import EVERY_CONTAINER, Scope


@dataclass(frozen=True, slots=True)
class Root:
    """A directory of a runtime, by its path seen from here; its files count for the containers of `scope`."""

    path: str
    scope: Scope = EVERY_CONTAINER


@dataclass(frozen=True, slots=True)
class Monitor:
    """conmon, which Podman and CRI-O start for each container.

    `name` is that of the container, `bundle` the directory with its OCI configuration, empty where unknown.
    """

    name: str
    bundle: str
    scope: Scope


@dataclass(frozen=True, slots=True)
class RuntimeRoots:
    """Directories by what is in them.

    `docker`: data roots. `storage`: graph roots and run roots of github.com/containers/storage.
    `containerd`: state directories. `nerdctl`: data roots. `monitors` has those of each container by its id.
    """

    docker: tuple[Root, ...] = ()
    storage: tuple[Root, ...] = ()
    containerd: tuple[Root, ...] = ()
    nerdctl: tuple[Root, ...] = ()
    monitors: Mapping[str, tuple[Monitor, ...]] = field(default_factory=dict)

    def monitors_of(self, location: CgroupLocation) -> Iterator[Monitor]:
        """Return the monitors of the container at a location."""
        return covering(self.monitors.get(location.container_id, ()), location)


class _Scoped(Protocol):
    @property
    def scope(self) -> Scope: ...


_Any = TypeVar("_Any", bound=_Scoped)


def covering(each: Iterable[_Any], location: CgroupLocation) -> Iterator[_Any]:
    """Return those that may name the container at a location."""
    return (one for one in each if one.scope.covers(location))


# Where engines keep files unless told otherwise, those of snaps (docker, microk8s) and k3s included.
DEFAULT_ROOTS: Final = RuntimeRoots(
    docker=(Root("/var/lib/docker"), Root("/var/snap/docker/common/var-lib-docker")),
    storage=(Root("/var/lib/containers/storage"), Root("/run/containers/storage")),
    containerd=(
        Root("/run/containerd"),
        Root("/run/k3s/containerd"),
        Root("/var/snap/microk8s/common/run/containerd"),
    ),
    nerdctl=(Root("/var/lib/nerdctl"),),
)
