"""Which runtime is asked for the names of a container: the one that its cgroup names, else each in turn."""

from __future__ import annotations

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.runtimes.containerd import nerdctl_names, pod_names, task_names
from exporter.owners.runtimes.containers_storage import crio_names, podman_names
from exporter.owners.runtimes.docker import docker_names
from exporter.owners.runtimes.documents import DocumentReader
from exporter.owners.runtimes.kubelet import kubelet_names
from exporter.owners.runtimes.names import NO_NAMES, ContainerNames
from exporter.owners.runtimes.roots import RuntimeRoots
from exporter.owners.runtimes.scope import host_pod_uid


def look_up(documents: DocumentReader, roots: RuntimeRoots, location: CgroupLocation) -> ContainerNames:
    """Return the names of the container and of the pod at a location, as far as files have them.

    What is in no pod of this host has no name of Kubernetes, whatever a file says: labels come with an image.
    """
    names = _look_up(documents, roots, location)
    return names if host_pod_uid(location) else ContainerNames(names.container, runtime=names.runtime)


def _look_up(documents: DocumentReader, roots: RuntimeRoots, location: CgroupLocation) -> ContainerNames:
    if location.task:
        return task_names(documents, roots, location)
    kubernetes = kubelet_names(documents, location) if location.pod_uid else NO_NAMES
    if not location.container_id or kubernetes.container:
        return kubernetes
    match location.runtime:
        case "docker":
            lookups = [docker_names]
        case "podman":
            lookups = [podman_names]
        case "cri-o":
            lookups = [crio_names]
        case "containerd" if location.pod_uid:
            # With the cgroupfs driver, Docker under cri-dockerd names its cgroups as containerd does.
            lookups = [pod_names, docker_names, nerdctl_names]
        case "containerd":
            lookups = [nerdctl_names, pod_names]
        case _:
            lookups = [docker_names, podman_names, nerdctl_names, pod_names]
    found = (names for lookup in lookups if (names := lookup(documents, roots, location)) != NO_NAMES)
    return kubernetes.or_else(next(found, NO_NAMES))
