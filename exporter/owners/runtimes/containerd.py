"""Names of containerd's containers: those of pods, which its CRI plugin knows, of nerdctl, and of others.

containerd writes the OCI configuration of each task below its state directory (core/runtime/v2/bundle.go in
github.com/containerd/containerd). The CRI plugin, whose namespace is `k8s.io`, puts the names into
annotations (DefaultCRIAnnotations, internal/cri/annotations/annotations.go). nerdctl puts its own labels
there (propagateInternalContainerdLabelsToOCIAnnotations, pkg/cmd/container/create.go), and has a file for
each name in its data store (docs/dir.md), which alone follows `nerdctl rename`. Other clients (ctr) choose
the id of a container, which is its name then, and unless told otherwise run it in the cgroup
`/<namespace>/<id>` (populateDefaultUnixSpec, pkg/oci/spec.go).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.runtimes.documents import DocumentReader, mapping_of
from exporter.owners.runtimes.names import NO_NAMES, ContainerNames, name_of
from exporter.owners.runtimes.roots import RuntimeRoots, covering

_TASKS: Final = "io.containerd.runtime.v2.task"
_CRI_NAMESPACE: Final = "k8s.io"
_CRI: Final = "io.kubernetes.cri."
_NERDCTL: Final = "nerdctl/"


def pod_names(documents: DocumentReader, roots: RuntimeRoots, location: CgroupLocation) -> ContainerNames:
    """Return the names of a container of a pod."""
    for root in covering(roots.containerd, location):
        annotations = _annotations(documents, f"{root.path}/{_TASKS}/{_CRI_NAMESPACE}", location)
        names = ContainerNames(
            container=name_of(annotations.get(f"{_CRI}container-name")),
            pod=name_of(annotations.get(f"{_CRI}sandbox-name")),
            namespace=name_of(annotations.get(f"{_CRI}sandbox-namespace")),
        )
        if names != NO_NAMES:
            return names
    return NO_NAMES


def nerdctl_names(documents: DocumentReader, roots: RuntimeRoots, location: CgroupLocation) -> ContainerNames:
    """Return the name of a container of nerdctl."""
    stores = (
        f"{root.path}/{store}"
        for root in covering(roots.nerdctl, location)
        for store in documents.names(root.path)
    )
    names = (_stored_name(documents, store, location) for store in stores)
    name = next(filter(None, names), "") or _annotated_name(documents, roots, location)
    return ContainerNames(name, runtime="containerd") if name else NO_NAMES


def task_names(documents: DocumentReader, roots: RuntimeRoots, location: CgroupLocation) -> ContainerNames:
    """Return the name of a task, where it is one: others may use cgroups with such names, too."""
    for root in covering(roots.containerd, location):
        task = documents.container(f"{root.path}/{_TASKS}/{location.task}/config.json")
        if mapping_of(task.get("linux")).get("cgroupsPath") == f"/{location.task}":
            return ContainerNames(location.task.partition("/")[2], runtime="containerd")
    return NO_NAMES


def _stored_name(documents: DocumentReader, store: str, location: CgroupLocation) -> str:
    """Return the name of the file in a data store that contains the id of a container."""
    names = (
        documents.names_by_content(f"{store}/names/{namespace}").get(location.container_id)
        for namespace in documents.names(f"{store}/names")
    )
    return next((name_of(name) for name in names if name), "")


def _annotated_name(documents: DocumentReader, roots: RuntimeRoots, location: CgroupLocation) -> str:
    for root in covering(roots.containerd, location):
        for namespace in documents.names(f"{root.path}/{_TASKS}"):
            annotations = _annotations(documents, f"{root.path}/{_TASKS}/{namespace}", location)
            name = name_of(annotations.get(f"{_NERDCTL}name"))
            if name:
                return name
    return ""


def _annotations(documents: DocumentReader, tasks: str, location: CgroupLocation) -> Mapping[str, Any]:
    task = documents.container(f"{tasks}/{location.container_id}/config.json")
    return mapping_of(task.get("annotations"))
