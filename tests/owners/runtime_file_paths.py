"""Paths of the files that container runtimes keep, for a container and a pod."""

from __future__ import annotations

CONTAINER_ID, OTHER_ID = "a1b2c3d4e5f60718" * 4, "0f1e2d3c4b5a6978" * 4
SHORT_ID = CONTAINER_ID[:12]
POD_UID, STATIC_POD_UID = "2f6b1c9e-8a7d-4f13-9c55-0d1e2f3a4b5c", "d0f2a7c46b1e4a3f9e8d7c6b5a493827"
KUBERNETES_LABELS = {
    "io.kubernetes.container.name": "app",
    "io.kubernetes.pod.name": "web-7d9f",
    "io.kubernetes.pod.namespace": "shop",
}
CRI_ANNOTATIONS = {
    "io.kubernetes.cri.container-type": "container",
    "io.kubernetes.cri.container-name": "app",
    "io.kubernetes.cri.sandbox-name": "web-7d9f",
    "io.kubernetes.cri.sandbox-namespace": "shop",
}
DOCKER = f"/var/lib/docker/containers/{CONTAINER_ID}/config.v2.json"
STORAGE_DRIVERS = ["overlay", "vfs", "btrfs", "zfs"]
PODMAN = "/var/lib/containers/storage/overlay-containers/containers.json"
PODMAN_VOLATILE = "/var/lib/containers/storage/overlay-containers/volatile-containers.json"
CRIO = f"/var/lib/containers/storage/overlay-containers/{CONTAINER_ID}/userdata/config.json"
NERDCTL = "/var/lib/nerdctl/1935db59/names/default/web"
TASKS = "io.containerd.runtime.v2.task"
CRI_TASK = f"/run/containerd/{TASKS}/k8s.io/{CONTAINER_ID}/config.json"
NERDCTL_TASK = f"/run/containerd/{TASKS}/default/{CONTAINER_ID}/config.json"
TASK = f"/run/containerd/{TASKS}/default/web/config.json"
CONTAINER_LOG = f"/var/log/containers/web-7d9f_shop_app-{CONTAINER_ID}.log"
POD_LOGS = f"/var/log/pods/shop_web-7d9f_{POD_UID}"
