"""Names of the containers of Podman and CRI-O, which keep them in github.com/containers/storage.

Podman names each container in the list of its graph driver: containers.json, or volatile-containers.json for
those that are removed when they end (`podman run --rm`, Quadlet), which is below the run root with
transient_store (containers.go there; libpod/runtime_ctr.go for renamed ones). A container with a root file
system of its own (`--rootfs`) is in none, but conmon has its name. Podman's database, db.sql or
bolt_state.db, is not read.

CRI-O writes the names that the kubelet gave into annotations of the OCI configuration, after those that a
pod has (SpecAddAnnotations, internal/factory/container/container.go), and into its own name of the container,
k8s_<container>_<pod>_<namespace>_<uid>_<attempt>.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, Final

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.runtimes.documents import DocumentReader, mapping_of
from exporter.owners.runtimes.names import NO_NAMES, ContainerNames, name_of
from exporter.owners.runtimes.roots import RuntimeRoots, covering

_DRIVERS: Final = ("overlay", "vfs", "btrfs", "zfs")
_LISTS: Final = ("containers.json", "volatile-containers.json")
_KUBERNETES: Final = "io.kubernetes."
# The parts of CRI-O's name for a container.
_PREFIX: Final = "k8s"
_PARTS: Final = 6


def podman_names(documents: DocumentReader, roots: RuntimeRoots, location: CgroupLocation) -> ContainerNames:
    """Return the name of a container of Podman."""
    listed = (
        _first_name(documents.containers(f"{root.path}/{driver}-containers/{file}"), location)
        for root in covering(roots.storage, location)
        for driver in _DRIVERS
        for file in _LISTS
    )
    monitored = (name_of(monitor.name) for monitor in roots.monitors_of(location))
    name = next(filter(None, chain(listed, monitored)), "")
    return ContainerNames(name, runtime="podman") if name else NO_NAMES


def crio_names(documents: DocumentReader, roots: RuntimeRoots, location: CgroupLocation) -> ContainerNames:
    """Return the names of a container of CRI-O."""
    for bundle in _bundles(roots, location):
        annotations = mapping_of(documents.container(f"{bundle}/config.json").get("annotations"))
        names = ContainerNames(
            container=name_of(annotations.get(f"{_KUBERNETES}container.name")),
            pod=name_of(annotations.get(f"{_KUBERNETES}pod.name")),
            namespace=name_of(annotations.get(f"{_KUBERNETES}pod.namespace")),
        )
        if names != NO_NAMES:
            return names
    monitored = (_kubernetes_names(monitor.name, location) for monitor in roots.monitors_of(location))
    return next(monitored, NO_NAMES)


def _kubernetes_names(name: str, location: CgroupLocation) -> ContainerNames:
    """Return the names that CRI-O's name for a container consists of, none of which contains a `_`."""
    parts = name_of(name).split("_")
    if len(parts) != _PARTS or parts[0] != _PREFIX or location.pod_uid not in ("", parts[4]):
        return NO_NAMES
    return ContainerNames(container=parts[1], pod=parts[2], namespace=parts[3])


def _bundles(roots: RuntimeRoots, location: CgroupLocation) -> Iterator[str]:
    for root in covering(roots.storage, location):
        for driver in _DRIVERS:
            yield f"{root.path}/{driver}-containers/{location.container_id}/userdata"
    yield from (monitor.bundle for monitor in roots.monitors_of(location) if monitor.bundle)


def _first_name(containers: Mapping[str, Mapping[str, Any]], location: CgroupLocation) -> str:
    names = containers.get(location.container_id, {}).get("names")
    return name_of(names[0]) if isinstance(names, list) and names else ""
