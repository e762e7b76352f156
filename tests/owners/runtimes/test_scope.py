"""Which containers a daemon may name, by its user and its cgroup."""

from __future__ import annotations

import time

import pytest

from exporter.owners.cgroup_location import parse_cgroup_path
from exporter.owners.runtimes.scope import EVERY_CONTAINER, Scope, container_path, host_pod_uid, scope_of
from tests.owners.runtime_file_paths import CONTAINER_ID, OTHER_ID, POD_UID
from tests.owners.runtimes.daemons import USER_MANAGER, daemon

ROOTFUL = f"/system.slice/docker-{CONTAINER_ID}.scope"
ROOTLESS = f"{USER_MANAGER}/user.slice/docker-{CONTAINER_ID}.scope"
POD = f"/kubepods/burstable/pod{POD_UID}/{CONTAINER_ID}"
NESTED = f"{POD}/docker/{OTHER_ID}"
OF_A_SERVICE = f"/system.slice/web.service/libpod-payload-{CONTAINER_ID}"
PATHS = {"rootful": ROOTFUL, "rootless": ROOTLESS, "pod": POD, "nested": NESTED, "service": OF_A_SERVICE}


@pytest.mark.parametrize(
    ("uid", "cgroup", "covered"),
    [
        # A user may make a cgroup with the id of any container in those of their own.
        (0, "/system.slice/docker.service", {*PATHS} - {"nested", "rootless"}),
        (0, "/", {*PATHS} - {"nested", "rootless"}),
        (1000, f"{USER_MANAGER}/app.slice/docker.service", {"rootless"}),
        (1000, "/user.slice/user-1000.slice/session-3.scope", {"rootless"}),
        # A service with User=, such as one of Quadlet.
        (1000, "/system.slice/web.service", {"rootless", "service"}),
        (1001, "/user.slice/user-1001.slice/session-4.scope", set()),
        (1001, "/system.slice/other.service", set()),
        (1001, "/system.slice", set()),
        (1001, "/", set()),
        # One in a container names those that it has started itself, also where it is root's.
        (0, POD, {"nested"}),
        (0, f"{POD}/system.slice/docker.service", {"nested"}),
        (0, f"/kubepods/burstable/pod{POD_UID}/{OTHER_ID}", set()),
        (0, ROOTFUL, set()),
        (1000, ROOTLESS, set()),
        (0, "/system.slice/systemd-nspawn@web.service/payload/docker.service", set()),
    ],
)
def test_containers_that_a_daemon_may_name(uid: int, cgroup: str, covered: set[str]) -> None:
    scope = scope_of(daemon("dockerd", uid=uid, cgroup=cgroup))
    found = {name for name, path in PATHS.items() if scope.covers(parse_cgroup_path(path.encode()))}
    assert found == covered


def test_a_daemon_that_has_ended_names_none() -> None:
    ended = daemon("dockerd")
    assert scope_of(ended) == EVERY_CONTAINER
    gone = type(ended)(ended.name, ended.pid, ended.arguments, ended.root, ended.uid, b"")
    assert scope_of(gone) == Scope()


@pytest.mark.parametrize(
    ("path", "uid"),
    [
        (POD, POD_UID),
        (NESTED, POD_UID),
        (f"/kubepods/pod{POD_UID}", POD_UID),
        (f"{POD}/kubepods/pod{POD_UID[::-1]}/{OTHER_ID}", POD_UID),
        (f"{ROOTFUL}/kubepods/pod{POD_UID}/{OTHER_ID}", ""),
        (f"/lxc/web/kubepods/pod{POD_UID}", ""),
        (ROOTFUL, ""),
        # A user may make such a cgroup, and so be taken for the pod of somebody else.
        (f"{USER_MANAGER}{POD}", ""),
        (f"/user.slice/user-0.slice/user@0.service{POD}", POD_UID),
        ("/", ""),
    ],
)
def test_pod_of_the_kubelet_of_this_host(path: str, uid: str) -> None:
    assert host_pod_uid(parse_cgroup_path(path.encode())) == uid


@pytest.mark.parametrize(
    ("path", "container"),
    [
        (ROOTFUL, ROOTFUL),
        (f"{ROOTFUL}/system.slice/nginx.service", ROOTFUL),
        (NESTED, NESTED),
        (f"{NESTED}/a/b", NESTED),
        ("/lxc/web/ns/a.service", "/lxc/web"),
        (f"/kubepods/pod{POD_UID}/other", f"/kubepods/pod{POD_UID}"),
        ("/system.slice/nginx.service", "/system.slice"),
    ],
)
def test_cgroup_of_the_container_itself(path: str, container: str) -> None:
    assert container_path(parse_cgroup_path(path.encode())) == container


def test_a_cgroup_that_is_very_deep_is_looked_at_in_a_short_time() -> None:
    """Root in a container may make thousands of cgroups in its own, one below the other."""
    below = "/a" * 2000
    inside = parse_cgroup_path(f"{POD}{below}".encode())
    started = time.thread_time()
    assert (container_path(inside), host_pod_uid(inside)) == (POD, POD_UID)
    deeper = parse_cgroup_path(f"{below}{POD}".encode())
    assert (container_path(deeper), host_pod_uid(deeper)) == (f"{below}{POD}", "")
    assert time.thread_time() - started < 2
