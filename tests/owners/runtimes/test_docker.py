"""Names of Docker's containers, and what the author of an image cannot make of them."""

from __future__ import annotations

import pytest

from exporter.owners.cgroup_location import CgroupLocation, parse_cgroup_path
from exporter.owners.runtimes.names import NO_NAMES, ContainerNames
from exporter.owners.runtimes.roots import Root, RuntimeRoots
from tests.owners.runtime_file_paths import CONTAINER_ID, DOCKER, KUBERNETES_LABELS, OTHER_ID, POD_UID
from tests.owners.runtimes.lookups import location, names_in

WEB = {"Name": "/web", "Config": {"Labels": {}}}
LABELLED = {"Name": f"/k8s_app_web-7d9f_shop_{POD_UID}_0", "Config": {"Labels": KUBERNETES_LABELS}}


def test_name_is_that_of_the_container() -> None:
    assert names_in({DOCKER: WEB}, location("docker")) == ContainerNames("web", runtime="docker")
    assert names_in({DOCKER.replace(CONTAINER_ID, OTHER_ID): WEB}, location("docker")) == NO_NAMES


@pytest.mark.parametrize("runtime", ["docker", "containerd"])
def test_names_of_a_pod_are_those_of_the_labels(runtime: str) -> None:
    """With the cgroupfs driver the cgroup of cri-dockerd's containers looks like one of containerd's."""
    found = names_in({DOCKER: LABELLED}, location(runtime, POD_UID))
    assert found == ContainerNames("app", "web-7d9f", "shop", "docker")


@pytest.mark.parametrize(
    "where",
    [
        location("docker"),
        location(),
        # Root in a container may make cgroups in its own.
        parse_cgroup_path(f"/docker/{CONTAINER_ID}/kubepods/pod{POD_UID}".encode()),
    ],
)
def test_labels_of_an_image_are_no_names_of_a_pod(where: CgroupLocation) -> None:
    """Unless the cgroup is that of a container of a pod."""
    config = {"Name": "/attacker", "Config": {"Labels": KUBERNETES_LABELS}}
    assert names_in({DOCKER: config}, where) == ContainerNames("attacker", runtime="docker")


def test_directory_of_a_remapped_user() -> None:
    path = DOCKER.replace("/docker/", "/docker/231072.231072/")
    assert names_in({path: WEB}, location("docker")).container == "web"
    assert names_in({path.replace("231072.231072", "image"): WEB}, location("docker")) == NO_NAMES


@pytest.mark.parametrize("root", ["/var/lib/docker", "/var/snap/docker/common/var-lib-docker", "/srv/docker"])
def test_other_data_roots(root: str) -> None:
    roots = RuntimeRoots(docker=(Root("/empty"), Root(root)))
    path = DOCKER.replace("/var/lib/docker", root)
    assert names_in({path: WEB}, location("docker"), roots).container == "web"
