"""The pod or container that a process belongs to."""

from __future__ import annotations

import os
from collections.abc import Iterable

import pytest

from exporter.owners.container_name_cache import ContainerNameCache
from exporter.owners.container_name_lookups import ContainerNameLookups
from exporter.owners.lookup_threads import LookupThreads
from exporter.owners.workloads import Workload, Workloads
from testbed.waiting import until
from tests.owners.fake_host import FakeHost, HangingFiles
from tests.owners.inline_lookups import InlineLookups
from tests.owners.runtime_file_paths import (
    CONTAINER_ID,
    CONTAINER_LOG,
    DOCKER,
    OTHER_ID,
    POD_LOGS,
    POD_UID,
    TASK,
)

TICKS = os.sysconf("SC_CLK_TCK")
PID = 20
POD = f"/kubepods/burstable/pod{POD_UID}"
DOCKER_SCOPE = f"/system.slice/docker-{CONTAINER_ID}.scope"


def workloads_of(host: FakeHost, uptime: float = 1000.0) -> Workloads:
    return Workloads(
        [host], ContainerNameLookups(ContainerNameCache(host.files), InlineLookups()), lambda: uptime
    )


def name_of(host: FakeHost, cgroup: str, pids: Iterable[int] = (PID,)) -> str | None:
    host.run(PID, b"web", started=0, cgroup=cgroup.encode())
    found = workloads_of(host).find(list(pids))
    return found[PID].name if PID in found else None


def test_container(host: FakeHost) -> None:
    host.files.files[DOCKER] = b'{"Name": "/web"}'
    assert name_of(host, DOCKER_SCOPE) == "web"
    assert name_of(host, f"{DOCKER_SCOPE}/system.slice/nginx.service") == "web"


def test_pod(host: FakeHost) -> None:
    """Its containers share its namespace, also the one that keeps it, which has no name."""
    host.files.files[CONTAINER_LOG] = b""
    host.files.directories.add(f"{POD_LOGS}/app")
    assert name_of(host, f"{POD}/{CONTAINER_ID}") == "web-7d9f"
    assert name_of(host, f"{POD}/{OTHER_ID}") == "web-7d9f"
    assert name_of(host, POD) == "web-7d9f"


@pytest.mark.parametrize(
    ("cgroup", "name"),
    [
        ("/lxc.payload.shop_web-1/init.scope", "shop_web-1"),
        ("/machine.slice/systemd-nspawn@web\\x2d1.service/payload", "web-1"),
        (f"/nomad.slice/share.slice/{POD_UID}.web.scope", f"web-{POD_UID}"),
    ],
)
def test_container_whose_cgroup_has_its_name(host: FakeHost, cgroup: str, name: str) -> None:
    assert name_of(host, cgroup) == name


def test_task_of_containerd(host: FakeHost) -> None:
    """Its files tell whether a cgroup with such a name is one."""
    assert name_of(host, "/default/web") == ""
    host.files.files[TASK] = b'{"linux": {"cgroupsPath": "/default/web"}}'
    assert name_of(host, "/default/web") == "web"
    assert name_of(host, "/default/web/init.scope") == "web"


@pytest.mark.parametrize(
    "cgroup",
    [
        # The first digits of an id are no name.
        DOCKER_SCOPE,
        POD,
        f"{POD}/{CONTAINER_ID}",
        "/system.slice/web.service",
        "/",
        # Root in a container may make cgroups with any names.
        f"/docker/{OTHER_ID}/lxc.payload.victim",
        f"/lxc.payload.eve/docker/{CONTAINER_ID}",
        f"{POD}/{OTHER_ID}/docker/{CONTAINER_ID}",
    ],
)
def test_nothing_that_has_a_name(host: FakeHost, cgroup: str) -> None:
    assert name_of(host, cgroup) == ""


def test_container_of_a_pod_without_a_name_does_not_give_its_own(host: FakeHost) -> None:
    """Each container of the pod has another."""
    host.files.files[DOCKER] = b'{"Name": "/k8s_POD_web"}'
    assert name_of(host, f"{POD}/docker-{CONTAINER_ID}.scope") == ""


def test_a_process_that_has_ended_has_none(host: FakeHost) -> None:
    assert workloads_of(host).find([PID]) == {}


def test_start_of_the_process_is_told(host: FakeHost) -> None:
    host.run(PID, b"web", started=7, cgroup=b"/")
    assert workloads_of(host).find([PID]) == {PID: Workload("", 7)}


@pytest.mark.parametrize(("age", "known"), [(1.9, False), (2.0, True)])
def test_a_young_process_in_no_container_may_yet_enter_one(
    host: FakeHost,
    age: float,
    known: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    host.run(PID, b"runc:[2:INIT]", started=100 * TICKS, cgroup=b"/system.slice/docker.service")
    workloads = workloads_of(host, 100.0 + age)
    assert (PID in workloads.find([PID])) is known
    host.files.files[DOCKER] = b'{"Name": "/web"}'
    host.run(PID, b"web", started=100 * TICKS, cgroup=DOCKER_SCOPE.encode())
    assert workloads.find([PID])[PID].name == "web"


def test_age_is_measured_by_the_clock_that_processes_start_by(host: FakeHost) -> None:
    host.run(PID, b"web", started=0, cgroup=b"/")
    assert PID in Workloads(
        [host], ContainerNameLookups(ContainerNameCache(host.files), InlineLookups())
    ).find([PID])


@pytest.mark.parametrize("cgroup", [DOCKER_SCOPE, "/default/web"])
def test_names_that_are_being_read_are_waited_for(host: FakeHost, cgroup: str) -> None:
    host.files.files[DOCKER] = b'{"Name": "/web"}'
    host.files.files[TASK] = b'{"linux": {"cgroupsPath": "/default/web"}}'
    host.run(PID, b"web", started=0, cgroup=cgroup.encode())
    runner = InlineLookups(held=True)
    names = ContainerNameLookups(ContainerNameCache(host.files), runner, lambda: 0.0)
    workloads = Workloads([host], names, lambda: 1000.0)
    assert workloads.find([PID]) == {}
    assert workloads.find([PID]) == {}
    runner.run_one()
    assert workloads.find([PID])[PID].name == "web"
    assert not runner.kept
    assert len(host.files.requested) == 1


def test_names_whose_reading_hangs_are_not_waited_for(host: FakeHost) -> None:
    host.run(PID, b"web", started=0, cgroup=DOCKER_SCOPE.encode())
    files = HangingFiles(hanging=DOCKER)
    names = ContainerNameLookups(ContainerNameCache(files), LookupThreads(hanging_seconds=0.1))
    workloads = Workloads([host], names, lambda: 1000.0)
    try:
        assert workloads.find([PID]) == {}
        found = until(lambda: workloads.find([PID]), bool)
        assert found[PID].name == ""
    finally:
        files.go_on.set()


def test_what_is_hidden_here_is_read_by_the_broker(host: FakeHost) -> None:
    host.run(PID, b"web", started=0, cgroup=b"/lxc.payload.web")
    names = ContainerNameLookups(ContainerNameCache(host.files), InlineLookups())
    assert Workloads([FakeHost(), host], names).find([PID])[PID].name == "web"
    shown = FakeHost()
    shown.run(PID, b"db", started=0, cgroup=b"/lxc.payload.db")
    assert Workloads([shown, host], names).find([PID])[PID].name == "db"
