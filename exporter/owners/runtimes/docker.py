"""Names of Docker's containers: config.v2.json of each container.

Source: daemon/container/container.go in github.com/moby/moby; daemon/daemon_unix.go for the directory
`<uid>.<gid>` that holds everything where user namespaces are used (--userns-remap). Kubernetes runs Docker by
way of cri-dockerd, which labels containers with their names (k8s.io/kubelet/pkg/types/labels.go).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.runtimes.documents import DocumentReader, mapping_of
from exporter.owners.runtimes.names import NO_NAMES, ContainerNames, name_of
from exporter.owners.runtimes.roots import RuntimeRoots, covering
from exporter.owners.runtimes.scope import host_pod_uid

_REMAPPED: Final = re.compile(r"\d+\.\d+")
_KUBERNETES: Final = "io.kubernetes."


def docker_names(documents: DocumentReader, roots: RuntimeRoots, location: CgroupLocation) -> ContainerNames:
    """Return the names of a container of Docker, also of one that Docker runs for Kubernetes."""
    for directory in _directories(documents, roots, location):
        container = documents.container(f"{directory}/containers/{location.container_id}/config.v2.json")
        name = name_of(container.get("Name")).removeprefix("/")
        if name:
            labels = mapping_of(mapping_of(container.get("Config")).get("Labels"))
            return _of_kubernetes(labels, location).or_else(ContainerNames(name, runtime="docker"))
    return NO_NAMES


def _directories(documents: DocumentReader, roots: RuntimeRoots, location: CgroupLocation) -> Iterator[str]:
    for root in covering(roots.docker, location):
        yield root.path
        yield from (f"{root.path}/{name}" for name in documents.names(root.path) if _REMAPPED.fullmatch(name))


def _of_kubernetes(labels: Mapping[str, Any], location: CgroupLocation) -> ContainerNames:
    """Return the names that the labels of a pod's container have.

    An image brings labels of its own, so its author could write any. In a container of a pod the kubelet's
    take their place. Whether it is one, its cgroup tells.
    """
    if not host_pod_uid(location):
        return NO_NAMES
    return ContainerNames(
        container=name_of(labels.get(f"{_KUBERNETES}container.name")),
        pod=name_of(labels.get(f"{_KUBERNETES}pod.name")),
        namespace=name_of(labels.get(f"{_KUBERNETES}pod.namespace")),
    )
