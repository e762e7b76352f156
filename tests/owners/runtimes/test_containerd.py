"""Names of containerd's containers: those of pods, and those of nerdctl."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from exporter.owners.cgroup_location import parse_cgroup_path
from exporter.owners.runtimes.names import NO_NAMES, ContainerNames
from exporter.owners.runtimes.roots import Root, RuntimeRoots
from exporter.owners.runtimes.scope import Scope
from tests.owners.runtime_file_paths import (
    CONTAINER_ID,
    CRI_ANNOTATIONS,
    CRI_TASK,
    DOCKER,
    KUBERNETES_LABELS,
    NERDCTL,
    NERDCTL_TASK,
    OTHER_ID,
    POD_UID,
    TASKS,
)
from tests.owners.runtimes.lookups import location, names_in

RECORDED = Path(__file__).parent / "recorded"
APP = ContainerNames("app", "web-7d9f", "shop")
WEB = ContainerNames("web", runtime="containerd")
SANDBOX = {
    **{key: value for key, value in CRI_ANNOTATIONS.items() if not key.endswith("container-name")},
    "io.kubernetes.cri.container-type": "sandbox",
}


@pytest.mark.parametrize(
    "state", ["/run/containerd", "/run/k3s/containerd", "/var/snap/microk8s/common/run/containerd"]
)
def test_names_of_a_pod_are_in_the_annotations_of_the_cri_plugin(state: str) -> None:
    documents = {CRI_TASK.replace("/run/containerd", state): {"annotations": CRI_ANNOTATIONS}}
    assert names_in(documents, location("containerd", POD_UID)) == APP


def test_sandbox_of_a_pod_has_no_name_of_its_own() -> None:
    found = names_in({CRI_TASK: {"annotations": SANDBOX}}, location("containerd", POD_UID))
    assert found == ContainerNames("", "web-7d9f", "shop")


def task(namespace: str = "default", cgroup: str = "/default/web") -> dict[str, Any]:
    """What containerd writes for a container that ctr starts; the rest does not matter."""
    path = f"/run/containerd/{TASKS}/{namespace}/web/config.json"
    return {path: {"root": {"path": "rootfs"}, "linux": {"cgroupsPath": cgroup}}}


@pytest.mark.parametrize("namespace", ["default", "shop"])
def test_a_container_that_is_neither_of_a_pod_nor_of_nerdctl_has_its_id_as_name(namespace: str) -> None:
    cgroup = f"/{namespace}/web"
    assert names_in(task(namespace, cgroup), parse_cgroup_path(cgroup.encode())) == WEB


def test_a_container_of_ctr() -> None:
    """The file is one that containerd 2.1.9 wrote for `ctr -n shop run --rootfs / web-1 COMMAND`."""
    files = {f"/run/containerd/{TASKS}/shop/web-1/config.json": (RECORDED / "ctr-2.1.9.json").read_bytes()}
    found = names_in(files, parse_cgroup_path(b"/shop/web-1"))
    assert found == ContainerNames("web-1", runtime="containerd")


@pytest.mark.parametrize("documents", [{}, task("shop"), task(cgroup="/other/web"), task(cgroup="")])
def test_a_cgroup_that_is_named_like_a_task_and_is_none_has_no_name(documents: dict[str, Any]) -> None:
    assert names_in(documents, parse_cgroup_path(b"/default/web")) == NO_NAMES


@pytest.mark.parametrize("runtime", ["", "containerd"])
def test_what_is_in_no_cgroup_of_a_pod_has_no_names_of_kubernetes(runtime: str) -> None:
    """The namespace k8s.io is that of the CRI plugin, but others may start containers there too."""
    found = names_in({CRI_TASK: {"annotations": CRI_ANNOTATIONS}}, location(runtime))
    assert found == ContainerNames(APP.container)


@pytest.mark.parametrize("annotations", [CRI_ANNOTATIONS, KUBERNETES_LABELS])
def test_annotations_of_another_namespace_are_no_names_of_a_pod(annotations: dict[str, str]) -> None:
    """Whoever starts a container of Docker or nerdctl may annotate it with anything."""
    moby = NERDCTL_TASK.replace("/default/", "/moby/")
    documents = {path: {"annotations": annotations} for path in (NERDCTL_TASK, moby)}
    assert names_in(documents, location("containerd")) == NO_NAMES
    assert (
        names_in({CRI_TASK: {"annotations": KUBERNETES_LABELS}}, location("containerd", POD_UID)) == NO_NAMES
    )


def test_nerdctl() -> None:
    others = {NERDCTL.replace("web", "db"): OTHER_ID.encode()}
    found = names_in({NERDCTL: CONTAINER_ID.encode() + b"\n", **others}, location("containerd"))
    assert found == WEB
    assert names_in(others, location("containerd")) == NO_NAMES


@pytest.mark.parametrize("namespace", ["default", "shop"])
def test_nerdctl_with_a_data_store_that_cannot_be_read(namespace: str) -> None:
    path = NERDCTL_TASK.replace("/default/", f"/{namespace}/")
    assert names_in({path: {"annotations": {"nerdctl/name": "web"}}}, location("containerd")) == WEB


def test_container_that_nerdctl_renamed() -> None:
    """The annotations keep the name that it was started with."""
    documents = {NERDCTL_TASK: {"annotations": {"nerdctl/name": "old"}}, NERDCTL: CONTAINER_ID.encode()}
    assert names_in(documents, location("containerd")) == WEB


def test_container_of_nerdctl_in_the_namespace_of_kubernetes() -> None:
    documents = {CRI_TASK: {"annotations": {"nerdctl/name": "web"}}}
    assert names_in(documents, location("containerd", POD_UID)) == WEB


def test_docker_is_asked_where_containerd_knows_nothing_of_a_pod() -> None:
    config = {"Name": "/k8s_app", "Config": {"Labels": KUBERNETES_LABELS}}
    found = names_in({DOCKER: config}, location("containerd", POD_UID))
    assert found == ContainerNames("app", "web-7d9f", "shop", "docker")


def test_roots_of_other_daemons_have_their_own_containers_only() -> None:
    roots = RuntimeRoots(
        containerd=(Root("/home/eve/state", Scope(("/user.slice/user-1000.slice",))),),
        nerdctl=(Root("/home/eve/nerdctl", Scope(("/user.slice/user-1000.slice",))),),
    )
    documents = {
        f"/home/eve/state/{TASKS}/k8s.io/{CONTAINER_ID}/config.json": {"annotations": CRI_ANNOTATIONS},
        NERDCTL.replace("/var/lib", "/home/eve"): CONTAINER_ID.encode(),
    }
    assert names_in(documents, location("", path="/system.slice/x"), roots) == NO_NAMES
    assert names_in(documents, location("", path="/user.slice/user-1000.slice/x"), roots) == WEB
