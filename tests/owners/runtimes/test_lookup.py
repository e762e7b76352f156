"""Which runtime is asked for names: the one that the cgroup names, else each."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.owners.runtimes.names import NO_NAMES, ContainerNames
from tests.owners.runtime_file_paths import (
    CONTAINER_ID,
    CONTAINER_LOG,
    CRIO,
    DOCKER,
    KUBERNETES_LABELS,
    NERDCTL,
    POD_UID,
    PODMAN,
)
from tests.owners.runtimes.lookups import location, names_in

OF_DOCKER = {DOCKER: {"Name": "/web"}}
OF_PODMAN = {PODMAN: [{"id": CONTAINER_ID, "names": ["web"]}]}
OF_CRIO = {CRIO: {"annotations": KUBERNETES_LABELS}}
OF_NERDCTL = {NERDCTL: CONTAINER_ID.encode()}
BY_RUNTIME: dict[str, dict[str, Any]] = {
    "docker": OF_DOCKER,
    "podman": OF_PODMAN,
    "cri-o": OF_CRIO,
    "containerd": OF_NERDCTL,
}


@pytest.mark.parametrize(
    ("runtime", "documents", "found"),
    [
        ("docker", OF_DOCKER, "docker"),
        ("podman", OF_PODMAN, "podman"),
        ("containerd", OF_NERDCTL, "containerd"),
        ("", OF_DOCKER, "docker"),
        ("", OF_PODMAN, "podman"),
        ("", OF_NERDCTL, "containerd"),
    ],
)
def test_names_are_read_from_the_files_of_the_runtime(
    runtime: str, documents: dict[str, Any], found: str
) -> None:
    """From those of all runtimes where the cgroup does not name one."""
    assert names_in(documents, location(runtime)) == ContainerNames("web", runtime=found)


@pytest.mark.parametrize("runtime", BY_RUNTIME)
def test_files_of_another_runtime_are_not_read(runtime: str) -> None:
    others = {
        path: document
        for other, documents in BY_RUNTIME.items()
        for path, document in documents.items()
        if other != runtime
    }
    assert names_in(others, location(runtime)) == NO_NAMES


def test_logs_of_the_kubelet_come_first() -> None:
    documents = {CONTAINER_LOG: b"", CRIO: {"annotations": dict.fromkeys(KUBERNETES_LABELS, "other")}}
    assert names_in(documents, location("cri-o", POD_UID)) == ContainerNames("app", "web-7d9f", "shop")
