"""Names from files as the container runtimes write them, and from malformed ones."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.owners.runtime_files import NO_NAMES, ContainerNames, RuntimeFiles
from tests.owners.fake_host import FakeFiles
from tests.owners.runtime_file_paths import (
    CONTAINER_ID,
    CONTAINER_LOG,
    CRIO,
    DOCKER,
    KUBERNETES_LABELS,
    NERDCTL,
    OTHER_ID,
    POD_LOGS,
    POD_UID,
    PODMAN,
    STATIC_POD_UID,
    STORAGE_DRIVERS,
)


def kubernetes(files: FakeFiles, uid: str = POD_UID, *, nested: bool = False) -> ContainerNames:
    return RuntimeFiles(files).kubernetes(CONTAINER_ID, uid, nested=nested)


def test_docker() -> None:
    config = {"ID": CONTAINER_ID, "Name": "/web", "Config": {"Labels": {}}}
    files = RuntimeFiles(FakeFiles({DOCKER: json.dumps(config).encode()}))
    assert files.docker(CONTAINER_ID) == ContainerNames("web", runtime="docker")
    assert files.docker(OTHER_ID) == NO_NAMES


def test_docker_for_kubernetes() -> None:
    config = {"Name": f"/k8s_app_web-7d9f_shop_{POD_UID}_0", "Config": {"Labels": KUBERNETES_LABELS}}
    files = RuntimeFiles(FakeFiles({DOCKER: json.dumps(config).encode()}))
    assert files.docker(CONTAINER_ID) == ContainerNames("app", "web-7d9f", "shop", "docker")


@pytest.mark.parametrize("driver", STORAGE_DRIVERS)
def test_podman(driver: str) -> None:
    containers = [
        {"id": OTHER_ID, "names": ["db"]},
        {"id": CONTAINER_ID, "names": ["web", "alias"]},
        {"id": "x"},
        7,
    ]
    path = PODMAN.replace("overlay", driver)
    files = RuntimeFiles(FakeFiles({path: json.dumps(containers).encode()}))
    assert files.podman(CONTAINER_ID) == ContainerNames("web", runtime="podman")
    assert files.podman(OTHER_ID) == ContainerNames("db", runtime="podman")
    assert files.podman("x") == NO_NAMES


@pytest.mark.parametrize("driver", STORAGE_DRIVERS)
def test_crio(driver: str) -> None:
    path = CRIO.replace("overlay", driver)
    files = RuntimeFiles(FakeFiles({path: json.dumps({"annotations": KUBERNETES_LABELS}).encode()}))
    assert files.crio(CONTAINER_ID) == ContainerNames("app", "web-7d9f", "shop")
    assert files.crio(OTHER_ID) == NO_NAMES


def test_nerdctl() -> None:
    other = NERDCTL.replace("web", "db")
    files = RuntimeFiles(FakeFiles({NERDCTL: CONTAINER_ID.encode() + b"\n", other: OTHER_ID.encode()}))
    assert files.nerdctl(CONTAINER_ID) == ContainerNames("web", runtime="containerd")
    assert files.nerdctl(OTHER_ID) == ContainerNames("db", runtime="containerd")


@pytest.mark.parametrize("uid", [POD_UID, STATIC_POD_UID])
def test_kubernetes_by_the_log_of_the_container(uid: str) -> None:
    others = [f"/var/log/containers/{pod}_bank_db-{OTHER_ID}.log" for pod in ("a", "z")]
    files = FakeFiles(dict.fromkeys([CONTAINER_LOG, *others], b""))
    assert kubernetes(files, uid) == ContainerNames("app", "web-7d9f", "shop")


@pytest.mark.parametrize("uid", [POD_UID, STATIC_POD_UID])
def test_kubernetes_by_the_log_directory_of_the_pod(uid: str) -> None:
    others = {f"/var/log/pods/{namespace}_db_{POD_UID[::-1]}/db" for namespace in ("a", "z")}
    logs = {f"/var/log/pods/shop_web-7d9f_{uid}/app", *others}
    assert kubernetes(FakeFiles(directories=logs), uid) == ContainerNames("app", "web-7d9f", "shop")


def test_a_pod_of_several_containers_gives_no_container_name() -> None:
    files = FakeFiles(directories={f"{POD_LOGS}/app", f"{POD_LOGS}/sidecar"})
    assert kubernetes(files) == ContainerNames("", "web-7d9f", "shop")


def test_a_container_inside_one_of_a_pod_does_not_get_its_name() -> None:
    files = FakeFiles(directories={f"{POD_LOGS}/app"})
    assert kubernetes(files, nested=True) == ContainerNames("", "web-7d9f", "shop")


def test_a_file_about_all_containers_is_read_once() -> None:
    containers = [{"id": f"{number:064x}", "names": [f"c{number}"]} for number in range(50)]
    disk = FakeFiles({PODMAN: json.dumps(containers).encode()})
    files = RuntimeFiles(disk)
    names = [files.podman(f"{number:064x}").container for number in range(50)]
    assert names == [f"c{number}" for number in range(50)]
    assert disk.requested.count(PODMAN) == 1


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"7", b"null", b'"x"', b"\xff\xfe", b'{"Name": 7}', b'{"Name": null, "Config": []}',
        b"[" * 100_000, b'[{"id": 1, "names": 2}]', b'[{"names": [1]}]', b'{"annotations": [1]}', b"1" * 5000,
        PermissionError(), IsADirectoryError(), FileNotFoundError(),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [DOCKER, PODMAN, CRIO, NERDCTL])
def test_a_malformed_or_unreadable_file_gives_no_names(path: str, content: bytes | OSError) -> None:
    files = RuntimeFiles(FakeFiles({path: content}))
    lookups = (files.docker, files.podman, files.crio, files.nerdctl)
    assert [lookup(CONTAINER_ID) for lookup in lookups] == [NO_NAMES] * 4


KEYS = st.sampled_from(["id", "names", "Name", "Config", "Labels", "annotations", *KUBERNETES_LABELS])
STRINGS = st.sampled_from([CONTAINER_ID, "Name", *KUBERNETES_LABELS])
DOCUMENTS = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), STRINGS),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
)


@given(st.one_of(st.binary(), DOCUMENTS.map(lambda document: json.dumps(document).encode())))
def test_any_content_is_read_without_an_error(content: bytes) -> None:
    files = RuntimeFiles(FakeFiles(dict.fromkeys((DOCKER, PODMAN, CRIO, NERDCTL), content)))
    for lookup in (files.docker, files.podman, files.crio, files.nerdctl):
        lookup(CONTAINER_ID)


@given(st.text(st.characters(exclude_categories=()), min_size=1))
def test_any_name_in_a_document_is_made_printable(name: str) -> None:
    labels = dict.fromkeys(KUBERNETES_LABELS, name)
    documents: dict[str, object] = {
        DOCKER: {"Name": f"/{name}", "Config": {"Labels": {}}},
        PODMAN: [{"id": CONTAINER_ID, "names": [name]}],
        CRIO: {"annotations": labels},
    }
    files = RuntimeFiles(FakeFiles({path: json.dumps(each).encode() for path, each in documents.items()}))
    for names in (files.docker(CONTAINER_ID), files.podman(CONTAINER_ID)):
        assert names.container
        assert names.container.isprintable()
    names = files.crio(CONTAINER_ID)
    assert names.container == names.pod == names.namespace != ""
    assert names.container.isprintable()


@given(st.text(st.characters(exclude_characters="/_\0", exclude_categories=()), min_size=1))
def test_any_name_of_a_log_is_made_printable(name: str) -> None:
    found = kubernetes(FakeFiles(directories={f"/var/log/pods/{name}_{name}_{POD_UID}/{name}"}))
    assert found.container == found.pod == found.namespace != ""
    assert found.container.isprintable()


def test_a_lone_surrogate_of_json_is_escaped() -> None:
    files = RuntimeFiles(FakeFiles({DOCKER: b'{"Name": "/a\\ud800\\n"}'}))
    assert files.docker(CONTAINER_ID).container == r"a\xed\xa0\x80\x0a"
