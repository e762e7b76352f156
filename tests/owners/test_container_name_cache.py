"""Which runtime is asked for names, how often, and how long names are kept."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from exporter.owners.cgroup_location import CgroupLocation, parse_cgroup_path
from exporter.owners.container_name_cache import ContainerNameCache
from exporter.owners.runtimes.daemon import ContainerDaemon
from exporter.owners.runtimes.names import ContainerNames
from tests.owners.fake_host import FakeFiles, FakeHost, owner_of, search, without_cgroup
from tests.owners.runtime_file_paths import (
    CONTAINER_ID,
    CONTAINER_LOG,
    CRIO,
    DOCKER,
    KUBERNETES_LABELS,
    OTHER_ID,
    POD_LOGS,
    POD_UID,
    SHORT_ID,
)
from tests.owners.runtimes.daemons import USER_MANAGER, daemon, rootless
from tests.owners.runtimes.lookups import location

RETRY_SECONDS, MAX_LOOKUPS = 5.0, 4
IN_DOCKER = CgroupLocation(runtime="docker", container_id=CONTAINER_ID)


def update(cache: ContainerNameCache, *locations: CgroupLocation, now: float = 0.0) -> int:
    """Update the cache and return the number of steps."""
    return len(list(cache.update(locations, now)))


def names_of(files: FakeFiles, runtime: str, pod_uid: str = "", *, nested: bool = False) -> ContainerNames:
    where = location(runtime, pod_uid, nested=nested)
    cache = ContainerNameCache(files)
    update(cache, where)
    return cache.names_at(where)


DOCKER_CONFIG = {DOCKER: b'{"Name": "/web"}'}
CRIO_CONFIG = {CRIO: json.dumps({"annotations": KUBERNETES_LABELS}).encode()}


@pytest.mark.parametrize("runtime", ["docker", "podman", "cri-o", "containerd"])
def test_container_without_a_name_has_its_short_id(runtime: str) -> None:
    assert names_of(FakeFiles(), runtime) == ContainerNames(SHORT_ID, runtime=runtime)


def test_container_of_crio_in_a_pod() -> None:
    names = names_of(FakeFiles(dict(CRIO_CONFIG)), "cri-o", POD_UID)
    assert names == ContainerNames("app", "web-7d9f", "shop", "cri-o")


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
    in_no_container = CgroupLocation(path=f"/kubepods/pod{POD_UID}", pod_uid=POD_UID)
    update(cache, in_no_container)
    assert cache.names_at(in_no_container) == ContainerNames("", "web-7d9f", "shop")
    assert not cache.due(1000.0)


def test_container_whose_cgroup_has_its_name() -> None:
    files = FakeFiles()
    cache, by_name = ContainerNameCache(files), CgroupLocation(runtime="lxc", container="web1")
    update(cache, by_name)
    assert cache.names_at(by_name) == ContainerNames("web1", runtime="lxc")
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
    assert files.requested.count(DOCKER) == MAX_LOOKUPS
    assert not cache.due(1e9)
    assert not cache.incomplete(IN_DOCKER)


def test_a_name_is_kept_when_a_later_lookup_finds_only_others() -> None:
    annotations = {"io.kubernetes.container.name": "app"}
    files = FakeFiles({CRIO: json.dumps({"annotations": annotations}).encode()})
    cache = ContainerNameCache(files)
    in_a_pod = location("cri-o", POD_UID)
    update(cache, in_a_pod)
    files.files.clear()
    files.directories = {f"{POD_LOGS}/app", f"{POD_LOGS}/sidecar"}
    update(cache, now=RETRY_SECONDS)
    assert cache.names_at(in_a_pod) == ContainerNames("app", "web-7d9f", "shop", "cri-o")


def test_the_oldest_entries_are_removed_above_the_limit() -> None:
    cache = ContainerNameCache(FakeFiles(), max_entries=2)
    three = [CgroupLocation(runtime="podman", container_id=f"{number:064x}") for number in range(3)]
    update(cache, *three[:2])
    assert [cache.incomplete(each) for each in three] == [True, True, False]
    update(cache, three[2])
    assert [cache.incomplete(each) for each in three] == [False, True, True]


class FakeDaemons:
    """Daemons that are found when they are looked for, each in a step; `looks` has when that was done."""

    def __init__(self, *running: ContainerDaemon) -> None:
        self.running = running
        self.found: tuple[ContainerDaemon, ...] = ()
        self.looks: list[float] = []

    def find(self, now: float) -> Iterator[None]:
        self.looks.append(now)
        for number in range(len(self.running)):
            yield
            self.found = self.running[: number + 1]


ELSEWHERE = "/srv/docker"
DOCKER_ELSEWHERE = {DOCKER.replace("/var/lib/docker", ELSEWHERE): b'{"Name": "/web"}'}
IN_A_SCOPE = parse_cgroup_path(f"/system.slice/docker-{CONTAINER_ID}.scope".encode())


def test_name_where_a_running_daemon_keeps_it() -> None:
    daemons = FakeDaemons(daemon("dockerd", "--data-root", ELSEWHERE))
    cache = ContainerNameCache(FakeFiles(dict(DOCKER_ELSEWHERE)), daemons)
    update(cache, IN_A_SCOPE)
    assert cache.names_at(IN_A_SCOPE).container == "web"
    assert not cache.incomplete(IN_A_SCOPE)
    assert daemons.looks == [0.0]


def test_daemons_are_not_looked_for_while_names_are_found() -> None:
    daemons = FakeDaemons(daemon("dockerd", "--data-root", ELSEWHERE))
    cache = ContainerNameCache(FakeFiles(dict(DOCKER_CONFIG)), daemons)
    update(cache, IN_A_SCOPE)
    assert cache.names_at(IN_A_SCOPE).container == "web"
    assert daemons.looks == []


def test_what_a_daemon_told_is_known_for_the_next_container() -> None:
    other = IN_A_SCOPE.container_id[::-1]
    daemons = FakeDaemons(daemon("dockerd", "--data-root", ELSEWHERE))
    files = FakeFiles(dict(DOCKER_ELSEWHERE))
    files.files[f"{ELSEWHERE}/containers/{other}/config.v2.json"] = b'{"Name": "/db"}'
    cache = ContainerNameCache(files, daemons)
    update(cache, IN_A_SCOPE)
    next_one = parse_cgroup_path(f"/system.slice/docker-{other}.scope".encode())
    update(cache, next_one)
    assert (cache.names_at(next_one).container, daemons.looks) == ("db", [0.0])


def test_a_name_that_no_daemon_keeps_is_looked_for_a_few_times() -> None:
    daemons = FakeDaemons()
    cache = ContainerNameCache(FakeFiles(), daemons)
    for lookup in range(100):
        update(cache, IN_A_SCOPE, now=lookup * RETRY_SECONDS)
    assert len(daemons.looks) == MAX_LOOKUPS


def test_container_without_a_name_is_not_due_while_it_is_looked_up() -> None:
    cache = ContainerNameCache(FakeFiles(), FakeDaemons(daemon("dockerd"), daemon("containerd")))
    for _ in cache.update([IN_A_SCOPE], 0.0):
        assert not cache.due(0.0)


def test_a_user_cannot_name_the_container_of_another() -> None:
    """Neither by a daemon of theirs, nor by a cgroup with the id of the container."""
    files = {f"/home/eve/containers/{CONTAINER_ID}/config.v2.json": b'{"Name": "/eve"}'}
    daemons = FakeDaemons(rootless("dockerd", "--data-root", "/home/eve"))
    cache = ContainerNameCache(FakeFiles(dict(files)), daemons)
    own = parse_cgroup_path(f"{USER_MANAGER}/user.slice/docker-{CONTAINER_ID}.scope".encode())
    update(cache, own, IN_A_SCOPE)
    assert cache.names_at(own).container == "eve"
    assert cache.names_at(IN_A_SCOPE).container == SHORT_ID


@pytest.mark.parametrize("inside", ["docker/{}", "system.slice/docker-{}.scope"])
def test_root_in_a_container_cannot_take_the_name_of_another(inside: str) -> None:
    """It may make cgroups in that of its container."""
    cache = ContainerNameCache(FakeFiles(dict(DOCKER_CONFIG)))
    own = f"/system.slice/docker-{OTHER_ID}.scope"
    faked = parse_cgroup_path(f"{own}/{inside.format(CONTAINER_ID)}".encode())
    update(cache, faked, IN_A_SCOPE)
    assert cache.names_at(faked).container == SHORT_ID
    assert cache.names_at(IN_A_SCOPE).container == "web"


@pytest.mark.parametrize("inside", ["", f"/{CONTAINER_ID}", f"/docker/{CONTAINER_ID}"])
@pytest.mark.parametrize("own", [f"docker/{OTHER_ID}", f"kubepods/pod{POD_UID[::-1]}/{OTHER_ID}"])
def test_root_in_a_container_cannot_take_the_name_of_a_pod(own: str, inside: str) -> None:
    cache = ContainerNameCache(FakeFiles({CONTAINER_LOG: b""}, directories={f"{POD_LOGS}/app"}))
    faked = parse_cgroup_path(f"/{own}/kubepods/pod{POD_UID}{inside}".encode())
    update(cache, faked)
    names = cache.names_at(faked)
    assert (names.pod, names.namespace) == ("", "")
    assert names.container in (SHORT_ID, OTHER_ID[:12])


def test_processes_anywhere_in_a_container_share_its_names() -> None:
    cache = ContainerNameCache(FakeFiles(dict(DOCKER_CONFIG)))
    update(cache, IN_A_SCOPE)
    inside = parse_cgroup_path(f"{IN_A_SCOPE.path}/system.slice/nginx.service".encode())
    assert cache.names_at(inside).container == "web"


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
    owners.take_changed()
    host.now = RETRY_SECONDS
    owners.pending(RETRY_SECONDS)
    assert owners.take_changed() == {1}
    assert owner_of(owners, 1).container == "web"
    assert host.full_searches == 1
