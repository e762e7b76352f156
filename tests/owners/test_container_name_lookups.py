"""Names of containers from another thread: read once for all, again where one is missing."""

from __future__ import annotations

import json
import threading

import pytest

from exporter.owners.cgroup_location import CgroupLocation
from exporter.owners.container_name_cache import ContainerNameCache
from exporter.owners.container_name_lookups import ContainerNameLookups
from exporter.owners.lookup_threads import Lookup, LookupThreads
from testbed.waiting import DEADLINE_SECONDS, equals, until
from tests.owners.fake_host import FakeFiles, HangingFiles
from tests.owners.inline_lookups import InlineLookups
from tests.owners.runtime_file_paths import CONTAINER_ID, DOCKER, PODMAN, SHORT_ID

IN_DOCKER = CgroupLocation(runtime="docker", container_id=CONTAINER_ID)
DOCKER_CONFIG = b'{"Name": "/web"}'


class Host:
    """The names of containers on a host whose files and time a test sets."""

    def __init__(self, *, held: bool = False) -> None:
        self.now = 100.0
        self.files = FakeFiles()
        self.runner = InlineLookups(held=held)
        self.names = ContainerNameLookups(ContainerNameCache(self.files), self.runner, lambda: self.now)

    def name(self, location: CgroupLocation = IN_DOCKER) -> str:
        return self.names.names_at(location).container


def test_a_container_has_its_short_id_until_its_name_is_read() -> None:
    host = Host(held=True)
    host.files.files[DOCKER] = DOCKER_CONFIG
    host.names.ask([IN_DOCKER])
    assert (host.name(), host.names.settled(IN_DOCKER)) == (SHORT_ID, False)
    assert host.files.requested == []
    host.runner.run_one()
    assert (host.name(), host.names.settled(IN_DOCKER), host.names.final(IN_DOCKER)) == ("web", True, True)


def test_a_name_that_is_written_late_is_found() -> None:
    host = Host()
    host.names.ask([IN_DOCKER])
    assert (host.name(), host.names.final(IN_DOCKER)) == (SHORT_ID, False)
    version = host.names.version
    host.files.files[DOCKER] = DOCKER_CONFIG
    host.now += 5
    host.names.poll()
    assert (host.name(), host.names.final(IN_DOCKER)) == ("web", True)
    assert host.names.version > version


def test_a_name_that_is_never_written_is_read_a_few_times() -> None:
    host = Host()
    host.names.ask([IN_DOCKER])
    for _ in range(20):
        host.now += 5
        host.names.poll()
    assert host.files.requested.count(DOCKER) == 4
    assert host.names.final(IN_DOCKER)


def test_a_file_about_many_containers_is_read_once_for_all_of_them() -> None:
    host = Host(held=True)
    ids = [f"{number:064x}" for number in range(50)]
    content = [{"id": each, "names": [f"name-{each[-2:]}"]} for each in ids]
    host.files.files[PODMAN] = json.dumps(content).encode()
    locations = [CgroupLocation(runtime="podman", container_id=each) for each in ids]
    host.names.ask(locations)
    while host.runner.kept:
        host.runner.run_one()
    assert [host.name(location) for location in locations] == [f"name-{each[-2:]}" for each in ids]
    assert host.files.requested.count(PODMAN) == 1


def test_what_runs_in_no_container_has_no_lookup() -> None:
    host = Host(held=True)
    service = CgroupLocation(unit="web.service")
    in_lxc = CgroupLocation(runtime="lxc", container="web1")
    host.names.ask([service, in_lxc])
    assert (host.name(service), host.name(in_lxc)) == ("", "web1")
    assert host.names.settled(service)
    assert host.names.final(service)
    assert not host.runner.kept


def test_names_that_are_needed_no_longer_are_forgotten() -> None:
    host = Host()
    host.files.files[DOCKER] = DOCKER_CONFIG
    host.names.ask([IN_DOCKER])
    host.names.retain([])
    assert not host.names.final(IN_DOCKER)
    host.names.retain([IN_DOCKER])


def test_while_files_of_one_runtime_hang_others_are_not_waited_for_either() -> None:
    files = HangingFiles(hanging=DOCKER)
    files.files[DOCKER] = DOCKER_CONFIG
    threads = LookupThreads(hanging_seconds=1.5, max_threads=2)
    names = ContainerNameLookups(ContainerNameCache(files), threads)
    other = CgroupLocation(runtime="podman", container_id=CONTAINER_ID)
    try:
        names.ask([IN_DOCKER])

        def hung() -> int:
            names.poll()
            return names.hung

        until(hung, equals(1))
        names.ask([other])
        assert not names.settled(other)
        until(hung, equals(2))
        assert names.settled(other)
        assert names.names_at(other).container == SHORT_ID
        made = threading.Event()
        threads.add(Lookup(made.set, lambda: None))
        assert made.wait(DEADLINE_SECONDS), "one thread hangs, and not two"
    finally:
        files.go_on.set()
    until(lambda: names.names_at(IN_DOCKER).container, equals("web"))


@pytest.mark.parametrize("held", [True, False])
def test_asking_twice_is_one_lookup(held: bool) -> None:  # noqa: FBT001
    host = Host(held=held)
    host.files.files[DOCKER] = DOCKER_CONFIG
    for _ in range(3):
        host.names.ask([IN_DOCKER])
        host.name()
    while host.runner.kept:
        host.runner.run_one()
    assert host.files.requested == [DOCKER]
