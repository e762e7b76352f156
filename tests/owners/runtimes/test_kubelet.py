"""Names of pods and containers in the logs of the kubelet."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.owners.runtimes.names import ContainerNames
from tests.owners.fake_host import FakeFiles
from tests.owners.runtime_file_paths import CONTAINER_LOG, OTHER_ID, POD_LOGS, POD_UID, STATIC_POD_UID
from tests.owners.runtimes.lookups import location, names_in


def kubernetes(files: FakeFiles, uid: str = POD_UID, *, nested: bool = False) -> ContainerNames:
    return names_in(files, location("containerd", uid, nested=nested))


@pytest.mark.parametrize("uid", [POD_UID, STATIC_POD_UID])
def test_by_the_log_of_the_container(uid: str) -> None:
    others = [f"/var/log/containers/{pod}_bank_db-{OTHER_ID}.log" for pod in ("a", "z")]
    files = FakeFiles(dict.fromkeys([CONTAINER_LOG, *others], b""))
    assert kubernetes(files, uid) == ContainerNames("app", "web-7d9f", "shop")


@pytest.mark.parametrize("uid", [POD_UID, STATIC_POD_UID])
def test_by_the_log_directory_of_the_pod(uid: str) -> None:
    others = {f"/var/log/pods/{namespace}_db_{POD_UID[::-1]}/db" for namespace in ("a", "z")}
    logs = {f"/var/log/pods/shop_web-7d9f_{uid}/app", *others}
    assert kubernetes(FakeFiles(directories=logs), uid) == ContainerNames("app", "web-7d9f", "shop")


def test_a_pod_of_several_containers_gives_no_container_name() -> None:
    files = FakeFiles(directories={f"{POD_LOGS}/app", f"{POD_LOGS}/sidecar"})
    assert kubernetes(files) == ContainerNames("", "web-7d9f", "shop")


def test_a_container_inside_one_of_a_pod_does_not_get_its_name() -> None:
    files = FakeFiles(directories={f"{POD_LOGS}/app"})
    assert kubernetes(files, nested=True) == ContainerNames("", "web-7d9f", "shop")


@given(st.text(st.characters(exclude_characters="/_\0", exclude_categories=()), min_size=1))
def test_any_name_of_a_log_is_made_printable(name: str) -> None:
    found = kubernetes(FakeFiles(directories={f"/var/log/pods/{name}_{name}_{POD_UID}/{name}"}))
    assert found.container == found.pod == found.namespace != ""
    assert found.container.isprintable()
