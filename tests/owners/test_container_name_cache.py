"""Which runtime is asked for names, how often, and how long names are kept."""

from __future__ import annotations

import json

import pytest

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.container_name_cache import ContainerNameCache
from exporter.owners.runtime_files import ContainerNames
from tests.owners.fake_host import FakeFiles, FakeHost, owner_of, search, without_cgroup
from tests.owners.runtime_file_paths import (
    CONTAINER_ID,
    CONTAINER_LOG,
    CRIO,
    DOCKER,
    KUBERNETES_LABELS,
    NERDCTL,
    POD_LOGS,
    POD_UID,
    PODMAN,
    SHORT_ID,
)

RETRY_SECONDS, MAX_LOOKUPS = 5.0, 4
IN_DOCKER = CgroupLocation(runtime="docker", container_id=CONTAINER_ID)


def update(cache: ContainerNameCache, *locations: CgroupLocation, now: float = 0.0) -> int:
    """Update the cache and return the number of steps."""
    return len(list(cache.update(locations, now)))


def names_of(files: FakeFiles, runtime: str, pod_uid: str = "", *, nested: bool = False) -> ContainerNames:
    location = CgroupLocation(runtime=runtime, container_id=CONTAINER_ID, pod_uid=pod_uid, nested=nested)
    cache = ContainerNameCache(files)
    update(cache, location)
    return cache.names_at(location)


DOCKER_CONFIG = {DOCKER: b'{"Name": "/web"}'}
PODMAN_CONTAINERS = {PODMAN: json.dumps([{"id": CONTAINER_ID, "names": ["web"]}]).encode()}
CRIO_CONFIG = {CRIO: json.dumps({"annotations": KUBERNETES_LABELS}).encode()}
NERDCTL_NAME = {NERDCTL: CONTAINER_ID.encode()}


@pytest.mark.parametrize(
    ("runtime", "files", "found"),
    [
        ("docker", DOCKER_CONFIG, "docker"),
        ("podman", PODMAN_CONTAINERS, "podman"),
        ("containerd", NERDCTL_NAME, "containerd"),
        ("", DOCKER_CONFIG, "docker"),
        ("", PODMAN_CONTAINERS, "podman"),
        ("", NERDCTL_NAME, "containerd"),
    ],
)
def test_names_are_read_from_the_files_of_the_runtime(
    runtime: str, files: dict[str, bytes | OSError], found: str
) -> None:
    """From those of all runtimes where the cgroup does not name one."""
    assert names_of(FakeFiles(files), runtime) == ContainerNames("web", runtime=found)


@pytest.mark.parametrize("runtime", ["docker", "podman", "cri-o", "containerd"])
def test_files_of_another_runtime_are_not_read(runtime: str) -> None:
    """Without any, the container has its short id as its name."""
    own = {"docker": DOCKER, "podman": PODMAN, "cri-o": CRIO, "containerd": NERDCTL}[runtime]
    every = {**DOCKER_CONFIG, **PODMAN_CONTAINERS, **CRIO_CONFIG, **NERDCTL_NAME}
    others: dict[str, bytes | OSError] = {path: every[path] for path in every if path != own}
    assert names_of(FakeFiles(others), runtime) == ContainerNames(SHORT_ID, runtime=runtime)


def test_container_of_crio_in_a_pod() -> None:
    names = names_of(FakeFiles(dict(CRIO_CONFIG)), "cri-o", POD_UID)
    assert names == ContainerNames("app", "web-7d9f", "shop", "cri-o")


def test_container_of_containerd_in_a_pod() -> None:
    names = names_of(FakeFiles({CONTAINER_LOG: b""}), "containerd", POD_UID)
    assert names == ContainerNames("app", "web-7d9f", "shop", "containerd")


@pytest.mark.parametrize("runtime", ["docker", "containerd"])
def test_container_of_docker_in_a_pod(runtime: str) -> None:
    """With the cgroupfs driver its cgroup looks like one of containerd's."""
    config = {"Name": f"/k8s_app_web-7d9f_shop_{POD_UID}_0", "Config": {"Labels": KUBERNETES_LABELS}}
    names = names_of(FakeFiles({DOCKER: json.dumps(config).encode()}), runtime, POD_UID)
    assert names == ContainerNames("app", "web-7d9f", "shop", "docker")


def test_container_without_a_name_in_a_pod_with_one() -> None:
    files = FakeFiles(directories={f"{POD_LOGS}/app", f"{POD_LOGS}/sidecar"})
    assert names_of(files, "containerd", POD_UID) == ContainerNames(
        SHORT_ID, "web-7d9f", "shop", "containerd"
    )


def test_nested_container_in_a_pod() -> None:
    names = names_of(FakeFiles(directories={f"{POD_LOGS}/app"}), "docker", POD_UID, nested=True)
    assert names == ContainerNames(SHORT_ID, "web-7d9f", "shop", "docker")


def test_process_of_a_pod_that_is_in_no_container() -> None:
    """Such as the monitor of a container."""
    cache = ContainerNameCache(FakeFiles(directories={f"{POD_LOGS}/app"}))
    update(cache, CgroupLocation(pod_uid=POD_UID))
    assert cache.names_at(CgroupLocation(pod_uid=POD_UID)) == ContainerNames("", "web-7d9f", "shop")
    assert not cache.due(1000.0)


def test_container_whose_cgroup_has_its_name() -> None:
    files = FakeFiles()
    cache, location = ContainerNameCache(files), CgroupLocation(runtime="lxc", container="web1")
    update(cache, location)
    assert cache.names_at(location) == ContainerNames("web1", runtime="lxc")
    assert not cache.due(1000.0)
    assert files.requested == []


def test_each_container_takes_one_step() -> None:
    cache = ContainerNameCache(FakeFiles())
    ids = (f"{number:064x}" for number in range(50))
    assert update(cache, *(CgroupLocation(runtime="podman", container_id=each) for each in ids)) == 50


def test_a_name_that_is_written_late_is_found_and_then_kept() -> None:
    files = FakeFiles()
    cache = ContainerNameCache(files)
    update(cache, IN_DOCKER)
    assert cache.names_at(IN_DOCKER).container == SHORT_ID
    assert cache.incomplete(IN_DOCKER)
    assert not cache.due(RETRY_SECONDS - 0.1)
    files.files.update(DOCKER_CONFIG)
    assert cache.due(RETRY_SECONDS)
    update(cache, now=RETRY_SECONDS)
    assert cache.names_at(IN_DOCKER).container == "web"
    assert not cache.incomplete(IN_DOCKER)
    requested = len(files.requested)
    update(cache, IN_DOCKER, now=1000.0)
    assert (len(files.requested), cache.due(1000.0)) == (requested, False)


def test_a_name_that_is_never_written_is_read_a_few_times() -> None:
    files = FakeFiles()
    cache = ContainerNameCache(files)
    incomplete = []
    for lookup in range(100):
        update(cache, IN_DOCKER, now=lookup * RETRY_SECONDS)
        incomplete.append(cache.incomplete(IN_DOCKER))
    assert incomplete == [True] * (MAX_LOOKUPS - 1) + [False] * (101 - MAX_LOOKUPS)
    assert files.requested == [DOCKER] * MAX_LOOKUPS
    assert not cache.due(1e9)
    assert not cache.incomplete(IN_DOCKER)


def test_a_name_is_kept_when_a_later_lookup_finds_only_others() -> None:
    annotations = {"io.kubernetes.container.name": "app"}
    files = FakeFiles({CRIO: json.dumps({"annotations": annotations}).encode()})
    cache = ContainerNameCache(files)
    location = CgroupLocation(runtime="cri-o", container_id=CONTAINER_ID, pod_uid=POD_UID)
    update(cache, location)
    files.files.clear()
    files.directories = {f"{POD_LOGS}/app", f"{POD_LOGS}/sidecar"}
    update(cache, now=RETRY_SECONDS)
    assert cache.names_at(location) == ContainerNames("app", "web-7d9f", "shop", "cri-o")


def test_the_oldest_entries_are_removed_above_the_limit() -> None:
    cache = ContainerNameCache(FakeFiles(), max_entries=2)
    locations = [CgroupLocation(runtime="podman", container_id=f"{number:064x}") for number in range(3)]
    update(cache, *locations[:2])
    assert [cache.incomplete(location) for location in locations] == [True, True, False]
    update(cache, locations[2])
    assert [cache.incomplete(location) for location in locations] == [False, True, True]


def test_owner_has_the_names_of_its_container() -> None:
    host = FakeHost()
    host.files.files[CONTAINER_LOG] = b""
    host.run(20, b"web", 1, cgroup=f"/kubepods/burstable/pod{POD_UID}/{CONTAINER_ID}".encode())
    owners = host.owner_search()
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    owner = owner_of(owners, 1)
    assert (owner.container, owner.container_id, owner.runtime) == ("app", CONTAINER_ID, "containerd")
    assert (owner.pod, owner.namespace) == ("web-7d9f", "shop")


def test_owner_gets_a_name_that_is_written_late_without_another_search() -> None:
    host = FakeHost()
    host.run(20, b"web", 1, cgroup=f"/docker/{CONTAINER_ID}".encode())
    owners = host.owner_search()
    owners.set_sockets(without_cgroup(1), 0.0)
    search(owners)
    assert owner_of(owners, 1).container == SHORT_ID
    host.files.files.update(DOCKER_CONFIG)
    assert owners.pending(RETRY_SECONDS)
    search(owners, RETRY_SECONDS)
    assert owner_of(owners, 1).container == "web"
    assert (host.full_searches, owners.pending(1000.0)) == (1, False)
