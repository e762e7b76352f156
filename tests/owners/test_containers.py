"""The names of containers and pods, from files as the runtimes write them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.containers import ContainerNameCache
from exporter.owners.runtime_files import ContainerNames, RuntimeFiles
from tests.owners.fake_host import Host, Shelf, look, whole_owner

ID, OTHER = "a1b2c3d4e5f60718" * 4, "0f1e2d3c4b5a6978" * 4
UID, STATIC = "2f6b1c9e-8a7d-4f13-9c55-0d1e2f3a4b5c", "d0f2a7c46b1e4a3f9e8d7c6b5a493827"
LABELS = {
    "io.kubernetes.container.name": "app",
    "io.kubernetes.pod.name": "web-7d9f",
    "io.kubernetes.pod.namespace": "shop",
}
DOCKER = f"/var/lib/docker/containers/{ID}/config.v2.json"
PODMAN = "/var/lib/containers/storage/overlay-containers/containers.json"
VFS = "/var/lib/containers/storage/vfs-containers/containers.json"
CRIO = f"/var/lib/containers/storage/overlay-containers/{ID}/userdata/config.json"
NERDCTL = "/var/lib/nerdctl/1935db59/names/default/web"
LINK = f"/var/log/containers/web-7d9f_shop_app-{ID}.log"
POD_LOGS = f"/var/log/pods/shop_web-7d9f_{UID}"
AGAIN_SECONDS, LOOKS = 5.0, 4
POD = ContainerNames("app", "web-7d9f", "shop")


def names_of(shelf: Shelf, runtime: str, pod_uid: str = "", *, nested: bool = False) -> ContainerNames:
    place = CgroupLocation(runtime=runtime, container_id=ID, pod_uid=pod_uid, nested=nested)
    containers = ContainerNameCache(shelf)
    list(containers.look([place], 0.0))
    return containers.of(place)


@pytest.mark.parametrize("runtime", ["docker", ""])
def test_docker(runtime: str) -> None:
    """Also where the cgroup does not tell the runtime."""
    shelf = Shelf({DOCKER: json.dumps({"ID": ID, "Name": "/web", "Config": {"Labels": {}}}).encode()})
    assert names_of(shelf, runtime) == ContainerNames("web", runtime="docker")


def test_docker_under_kubernetes() -> None:
    about = {"Name": f"/k8s_app_web-7d9f_shop_{UID}_0", "Config": {"Labels": LABELS}}
    shelf = Shelf({DOCKER: json.dumps(about).encode()})
    assert names_of(shelf, "docker", UID) == ContainerNames("app", "web-7d9f", "shop", "docker")
    assert names_of(shelf, "containerd", UID) == ContainerNames("app", "web-7d9f", "shop", "docker")


@pytest.mark.parametrize("path", [PODMAN, VFS])
@pytest.mark.parametrize("runtime", ["podman", ""])
def test_podman(path: str, runtime: str) -> None:
    known = [{"id": OTHER, "names": ["db"]}, {"id": ID, "names": ["web", "alias"]}, {"id": "x"}, 7]
    assert names_of(Shelf({path: json.dumps(known).encode()}), runtime) == ContainerNames(
        "web", runtime="podman"
    )


def test_crio() -> None:
    shelf = Shelf({CRIO: json.dumps({"annotations": LABELS}).encode()})
    assert names_of(shelf, "cri-o", UID) == ContainerNames("app", "web-7d9f", "shop", "cri-o")


@pytest.mark.parametrize("runtime", ["containerd", ""])
def test_nerdctl(runtime: str) -> None:
    shelf = Shelf({NERDCTL: ID.encode() + b"\n", NERDCTL.replace("web", "db"): OTHER.encode()})
    assert names_of(shelf, runtime) == ContainerNames("web", runtime="containerd")


@pytest.mark.parametrize("uid", [UID, STATIC])
def test_kubernetes_by_the_link_of_the_container(uid: str) -> None:
    shelf = Shelf({LINK: b"", f"/var/log/containers/db_bank_db-{OTHER}.log": b""})
    assert names_of(shelf, "containerd", uid) == ContainerNames("app", "web-7d9f", "shop", "containerd")


@pytest.mark.parametrize("uid", [UID, STATIC])
def test_kubernetes_by_the_folder_of_the_pod(uid: str) -> None:
    folder = f"/var/log/pods/shop_web-7d9f_{uid}"
    shelf = Shelf(folders={f"{folder}/app", f"/var/log/pods/bank_db_{UID[::-1]}/db"})
    assert names_of(shelf, "containerd", uid) == ContainerNames("app", "web-7d9f", "shop", "containerd")


def test_of_several_containers_of_a_pod_the_folder_tells_none() -> None:
    shelf = Shelf(folders={f"{POD_LOGS}/app", f"{POD_LOGS}/sidecar"})
    assert names_of(shelf, "containerd", UID) == ContainerNames(ID[:12], "web-7d9f", "shop", "containerd")


def test_container_inside_of_a_pods_container_has_not_its_name() -> None:
    shelf = Shelf(folders={f"{POD_LOGS}/app"})
    assert names_of(shelf, "docker", UID, nested=True) == ContainerNames(
        ID[:12], "web-7d9f", "shop", "docker"
    )


def test_pod_without_a_container_is_named() -> None:
    """What runs beside the containers of a pod, as a monitor does."""
    containers = ContainerNameCache(Shelf(folders={f"{POD_LOGS}/app"}))
    list(containers.look([CgroupLocation(pod_uid=UID)], 0.0))
    assert containers.of(CgroupLocation(pod_uid=UID)) == ContainerNames("", "web-7d9f", "shop")
    assert not containers.due(1000.0)


def test_container_of_lxc_has_its_name_from_the_path() -> None:
    containers = ContainerNameCache(Shelf())
    place = CgroupLocation(runtime="lxc", container="web1")
    list(containers.look([place], 0.0))
    assert containers.of(place) == ContainerNames("web1", runtime="lxc")
    assert not containers.due(1000.0)


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"[]", b"7", b"null", b'"x"', b"\xff\xfe", b'{"Name": 7}', b'{"Name": null, "Config": []}',
        b"[" * 100_000, b'[{"id": 1, "names": 2}]', b'[{"names": [1]}]', b'{"annotations": [1]}', b"1" * 5000,
        PermissionError(), IsADirectoryError(), FileNotFoundError(),
    ],
)  # fmt: skip
@pytest.mark.parametrize("path", [DOCKER, PODMAN, CRIO, NERDCTL])
def test_broken_file_leaves_the_name_empty(path: str, content: bytes | OSError) -> None:
    for runtime in ("docker", "podman", "cri-o", "containerd", ""):
        assert names_of(Shelf({path: content}), runtime).container == ID[:12]


KEYS = st.sampled_from(["id", "names", "Name", "Config", "Labels", "annotations", *LABELS])
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.text(), st.sampled_from([ID, "Name", *LABELS])),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(KEYS, inner, max_size=4),
    ),
)


@given(st.one_of(st.binary(), JSON.map(lambda value: json.dumps(value).encode())))
def test_any_content_gives_text_that_can_be_shown(content: bytes) -> None:
    shelf = Shelf(dict.fromkeys((DOCKER, PODMAN, CRIO, NERDCTL), content))
    files = RuntimeFiles(shelf)
    for names in (files.docker(ID), files.podman(ID), files.crio(ID), files.nerdctl(ID)):
        assert all(text.isprintable() for text in (names.container, names.pod, names.namespace))


@given(st.lists(st.text(st.characters(exclude_characters="/"), min_size=1), max_size=4))
def test_any_name_of_a_log_gives_text_that_can_be_shown(names: list[str]) -> None:
    shelf = Shelf(folders={f"/var/log/{kind}/{name}" for kind in ("pods", "containers") for name in names})
    found = RuntimeFiles(shelf).kubernetes(ID, UID, nested=False)
    assert all(text.isprintable() for text in (found.container, found.pod, found.namespace))


def test_half_a_character_of_json_can_be_shown() -> None:
    assert names_of(Shelf({DOCKER: b'{"Name": "/a\\ud800\\n"}'}), "docker").container == r"a\xed\xa0\x80\x0a"


def test_name_that_is_written_down_late_is_found_and_then_kept() -> None:
    shelf = Shelf()
    containers, place = ContainerNameCache(shelf), CgroupLocation(runtime="docker", container_id=ID)
    list(containers.look([place], 0.0))
    assert (containers.of(place).container, containers.due(AGAIN_SECONDS - 0.1)) == (ID[:12], False)
    shelf.files[DOCKER] = b'{"Name": "/web"}'
    assert containers.due(AGAIN_SECONDS)
    list(containers.look([], AGAIN_SECONDS))
    assert containers.of(place).container == "web"
    asked = len(shelf.asked)
    list(containers.look([place], 1000.0))
    assert (len(shelf.asked), containers.due(1000.0)) == (asked, False)


def test_name_that_never_comes_is_looked_for_a_few_times_only() -> None:
    shelf = Shelf()
    containers, place = ContainerNameCache(shelf), CgroupLocation(runtime="docker", container_id=ID)
    for look_number in range(100):
        list(containers.look([place], look_number * AGAIN_SECONDS))
    assert shelf.asked == [DOCKER] * LOOKS
    assert not containers.due(1e9)


def test_pod_whose_logs_come_late_does_not_lose_the_name_of_its_container() -> None:
    shelf = Shelf({CRIO: json.dumps({"annotations": {"io.kubernetes.container.name": "app"}}).encode()})
    containers, place = (
        ContainerNameCache(shelf),
        CgroupLocation(runtime="cri-o", container_id=ID, pod_uid=UID),
    )
    list(containers.look([place], 0.0))
    shelf.files.clear()
    shelf.folders = {f"{POD_LOGS}/app", f"{POD_LOGS}/sidecar"}
    list(containers.look([], AGAIN_SECONDS))
    assert containers.of(place) == ContainerNames("app", "web-7d9f", "shop", "cri-o")


def test_what_speaks_of_all_is_read_once_for_all() -> None:
    known = [{"id": f"{number:064x}", "names": [f"c{number}"]} for number in range(50)]
    shelf = Shelf({PODMAN: json.dumps(known).encode()})
    containers = ContainerNameCache(shelf)
    places = [CgroupLocation(runtime="podman", container_id=f"{number:064x}") for number in range(50)]
    assert len(list(containers.look(places, 0.0))) == 50, "one a step"
    assert [containers.of(place).container for place in places] == [f"c{number}" for number in range(50)]
    assert shelf.asked.count(PODMAN) == 1


def test_owner_has_the_names_of_its_container() -> None:
    host = Host()
    host.shelf.files[LINK] = b""
    host.run(20, b"web", 1, cgroup=f"/kubepods/burstable/pod{UID}/{ID}".encode())
    owners = host.owners()
    owners.want({1: 0}, 0.0)
    look(owners)
    owner = whole_owner(owners, 1)
    assert (owner.container, owner.container_id, owner.runtime) == ("app", ID, "containerd")
    assert (owner.pod, owner.namespace) == ("web-7d9f", "shop")


def test_owner_gets_a_name_that_comes_late_without_another_walk() -> None:
    host = Host()
    host.run(20, b"web", 1, cgroup=f"/docker/{ID}".encode())
    owners = host.owners()
    owners.want({1: 0}, 0.0)
    look(owners)
    assert whole_owner(owners, 1).container == ID[:12]
    host.shelf.files[DOCKER] = b'{"Name": "/web"}'
    assert owners.pending(AGAIN_SECONDS)
    look(owners, AGAIN_SECONDS)
    assert whole_owner(owners, 1).container == "web"
    assert (host.walks, owners.pending(1000.0)) == (1, False)
