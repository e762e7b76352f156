"""/proc/<pid>/cgroup, whose paths tenants may choose, and which container and pod they name."""

from __future__ import annotations

from exporter.owners.cgroup_location import CgroupLocation, parse_cgroup_path
from exporter.owners.cgroup_membership import parse_cgroup_membership
from exporter.owners.runtimes import scope
from exporter.owners.runtimes.daemon import ContainerDaemon
from tests.fuzz.target import Target


def run(data: bytes) -> None:
    """Parse the file of a process, and of a daemon that may name containers."""
    location = parse_cgroup_membership(data)
    _check(location)
    _check(parse_cgroup_path(data))
    assert location.path == "" or parse_cgroup_path(location.path.encode()).path.startswith("/")
    # What was seen of other inputs is not remembered, since the time of a first look counts.
    scope.container_path.cache_clear()
    scope.host_pod_uid.cache_clear()
    if location.path:
        assert location.path.startswith(scope.container_path(location))
    uid = scope.host_pod_uid(location)
    assert not uid or location.pod_uid
    for user in (0, 1000):
        scope.scope_of(ContainerDaemon("dockerd", 1, ("dockerd",), "/proc/1/root", user, data)).covers(
            location
        )


def _check(location: CgroupLocation) -> None:
    texts = (location.path, location.unit, location.slice, location.container, location.container_id)
    assert all(text.isprintable() for text in texts)
    assert location.pod_uid.isascii()


TARGET = Target(
    run,
    max_bytes=1024,
    words=(
        b"/kubepods/pod" + b"0" * 32,
        b"/" + b"a" * 64,
        b"/docker-" + b"a" * 64 + b".scope",
        b"/a" * 100,
        b"/..",
        b"/lxc.payload.a",
        b"/a.slice",
        b"/a.service",
        b"\n0::/",
        b" (deleted)",
    ),
)
