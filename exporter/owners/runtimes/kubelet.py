"""Names of pods and their containers, from the directories and links of logs that the kubelet makes.

Sources: BuildPodLogsDirectory in pkg/kubelet/kuberuntime/helpers.go, legacyLogSymlink in
pkg/kubelet/kuberuntime/legacy.go, github.com/kubernetes/kubernetes. Everybody may list them.
"""

from __future__ import annotations

from typing import Final

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.runtimes.documents import DocumentReader
from exporter.owners.runtimes.names import NO_NAMES, ContainerNames, name_of
from exporter.owners.runtimes.scope import host_pod_uid

_POD_LOGS: Final = "/var/log/pods"
_CONTAINER_LOGS: Final = "/var/log/containers"
_PARTS: Final = 3


def kubelet_names(documents: DocumentReader, location: CgroupLocation) -> ContainerNames:
    """Return the names that the kubelet's logs give; the uid of a static pod is a hash without dashes."""
    container_id, pod_uid = location.container_id, host_pod_uid(location)
    names = NO_NAMES
    for entry in documents.names(_CONTAINER_LOGS) if pod_uid and container_id and not location.nested else ():
        # <pod>_<namespace>_<container>-<id>.log
        parts = entry.removesuffix(f"-{container_id}.log").split("_")
        if entry.endswith(f"-{container_id}.log") and len(parts) == _PARTS:
            names = ContainerNames(name_of(parts[2]), name_of(parts[0]), name_of(parts[1]))
    for entry in documents.names(_POD_LOGS) if pod_uid else ():
        # <namespace>_<pod>_<uid>, none of which contains a `_`
        parts = entry.split("_")
        if len(parts) == _PARTS and parts[2] == pod_uid:
            # A container inside one of the pod's does not get the name of that.
            inside = not container_id or location.nested
            containers = [] if inside else documents.names(f"{_POD_LOGS}/{entry}")
            container = name_of(containers[0]) if len(containers) == 1 else ""
            names = names.or_else(ContainerNames(container, name_of(parts[1]), name_of(parts[0])))
    return names
