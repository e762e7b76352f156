"""Names of the containers of Podman and CRI-O."""

from __future__ import annotations

import pytest

from exporter.owners.runtimes.names import NO_NAMES, ContainerNames
from exporter.owners.runtimes.roots import Monitor, Root, RuntimeRoots
from exporter.owners.runtimes.scope import EVERY_CONTAINER, Scope
from tests.owners.runtime_file_paths import (
    CONTAINER_ID,
    CRI_ANNOTATIONS,
    CRIO,
    KUBERNETES_LABELS,
    OTHER_ID,
    POD_UID,
    PODMAN,
    PODMAN_VOLATILE,
    STORAGE_DRIVERS,
)
from tests.owners.runtimes.lookups import location, names_in

LIST = [{"id": OTHER_ID, "names": ["db"]}, {"id": CONTAINER_ID, "names": ["web", "alias"]}, {"id": "x"}, 7]
STORAGE = RuntimeRoots(storage=(Root("/var/lib/containers/storage"),))
KUBERNETES_NAME = f"k8s_app_web-7d9f_shop_{POD_UID}_0"


def monitored(name: str, bundle: str = "", scope: Scope = EVERY_CONTAINER) -> RuntimeRoots:
    return RuntimeRoots(monitors={CONTAINER_ID: (Monitor(name, bundle, scope),)})


@pytest.mark.parametrize("driver", STORAGE_DRIVERS)
@pytest.mark.parametrize("path", [PODMAN, PODMAN_VOLATILE])
def test_podman(path: str, driver: str) -> None:
    """Containers that are removed when they end, as those of Quadlet are, have a list of their own."""
    found = names_in({path.replace("overlay", driver): LIST}, location("podman"))
    assert found == ContainerNames("web", runtime="podman")


def test_podman_whose_containers_do_not_outlive_a_boot() -> None:
    path = PODMAN_VOLATILE.replace("/var/lib", "/run")
    assert names_in({path: LIST}, location("podman")).container == "web"


def test_monitor_of_podman_has_the_name_where_no_list_has_it() -> None:
    """A container that was renamed has its new name in the list only."""
    assert names_in({}, location("podman"), monitored("web")) == ContainerNames("web", runtime="podman")
    roots = RuntimeRoots(storage=STORAGE.storage, monitors=monitored("old").monitors)
    assert names_in({PODMAN: LIST}, location("podman"), roots).container == "web"


def test_monitor_names_its_own_containers_only() -> None:
    roots = monitored("web", scope=Scope(("/user.slice/user-1000.slice",)))
    assert names_in({}, location("podman", path="/machine.slice/libpod-x.scope"), roots) == NO_NAMES
    assert names_in({}, location("podman", path="/user.slice/user-1000.slice/x"), roots).container == "web"


@pytest.mark.parametrize("driver", STORAGE_DRIVERS)
def test_crio(driver: str) -> None:
    documents = {CRIO.replace("overlay", driver): {"annotations": KUBERNETES_LABELS}}
    assert names_in(documents, location("cri-o", POD_UID)) == ContainerNames("app", "web-7d9f", "shop")


def test_crio_below_the_run_root() -> None:
    documents = {CRIO.replace("/var/lib", "/run"): {"annotations": KUBERNETES_LABELS}}
    assert names_in(documents, location("cri-o", POD_UID)).container == "app"


def test_crio_where_its_monitor_has_the_configuration() -> None:
    roots = monitored("", "/elsewhere/userdata")
    documents = {"/elsewhere/userdata/config.json": {"annotations": KUBERNETES_LABELS}}
    assert names_in(documents, location("cri-o", POD_UID), roots).container == "app"


def test_crio_by_the_name_that_its_monitor_has() -> None:
    found = names_in({}, location("cri-o", POD_UID), monitored(KUBERNETES_NAME))
    assert found == ContainerNames("app", "web-7d9f", "shop")


@pytest.mark.parametrize(
    "name", ["", "web", "k8s_app_web_shop_0", KUBERNETES_NAME.replace(POD_UID, "other"), "a" * 300]
)
def test_other_names_of_a_monitor_are_not_those_of_the_pod(name: str) -> None:
    assert names_in({}, location("cri-o", POD_UID), monitored(name)) == NO_NAMES


def test_annotations_of_another_runtime_are_none_of_crio() -> None:
    assert names_in({CRIO: {"annotations": CRI_ANNOTATIONS}}, location("cri-o", POD_UID)) == NO_NAMES
