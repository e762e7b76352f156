"""Daemons that run on a real kernel, as scripts with their names."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import pytest

from exporter.kernel.errors import BrokerUnavailableError
from exporter.owners.runtimes.daemon import ContainerDaemon
from exporter.owners.runtimes.running_daemons import RunningDaemons
from testbed.waiting import until
from tests.owners.runtimes.daemons import running

PAUSE_SECONDS = 1.0


def find(daemons: RunningDaemons, now: float) -> dict[int, ContainerDaemon]:
    list(daemons.find(now))
    return {daemon.pid: daemon for daemon in daemons.found}


class Clock:
    """Moves on with each look."""

    def __init__(self) -> None:
        self.now = 0.0

    def find(self, daemons: RunningDaemons) -> dict[int, ContainerDaemon]:
        self.now += PAUSE_SECONDS
        return find(daemons, self.now)


def until_found(daemons: RunningDaemons, pid: int, clock: Clock) -> ContainerDaemon:
    """Wait until a process has its name."""
    until(lambda: pid in clock.find(daemons), bool)
    return next(daemon for daemon in daemons.found if daemon.pid == pid)


@pytest.mark.parametrize(
    "name", ["dockerd", "containerd", "containerd-shim-runc-v2", "conmon", "crio", "nerdctl"]
)
def test_daemon_with_its_arguments(tmp_path: Path, name: str) -> None:
    with running(tmp_path, name, "--data-root", "/srv/docker", "\udcff") as pid:
        found = until_found(RunningDaemons(), pid, Clock())
        assert (found.name, found.option("--data-root")) == (name[:15], "/srv/docker")
        assert found.arguments[-1] == "\udcff"
        assert (found.root, found.uid) == (f"/proc/{pid}/root", os.geteuid())
        assert found.cgroup == Path(f"/proc/{pid}/cgroup").read_bytes()


def test_other_processes_are_none(tmp_path: Path) -> None:
    with running(tmp_path, "docker-proxy") as pid, running(tmp_path, "dockerd") as docker:
        daemons = RunningDaemons()
        until_found(daemons, docker, Clock())
        assert pid not in {daemon.pid for daemon in daemons.found}


def test_a_daemon_that_has_ended_is_no_longer_found(tmp_path: Path) -> None:
    daemons, clock = RunningDaemons(), Clock()
    with running(tmp_path, "dockerd") as pid:
        until_found(daemons, pid, clock)
    assert pid not in clock.find(daemons)


def test_a_new_daemon_is_found_without_reading_every_process_again(tmp_path: Path) -> None:
    daemons, clock = RunningDaemons(), Clock()
    with running(tmp_path, "dockerd") as pid:
        until_found(daemons, pid, clock)
        for _ in range(3):
            clock.find(daemons)
        with running(tmp_path, "conmon") as other:
            until_found(daemons, other, clock)


def test_it_is_looked_for_once_a_second_at_most(tmp_path: Path) -> None:
    daemons = RunningDaemons()
    assert len(list(daemons.find(0.0))) >= 1
    with running(tmp_path, "dockerd") as pid:
        assert find(daemons, PAUSE_SECONDS - 0.1).get(pid) is None
        assert pid in find(daemons, PAUSE_SECONDS)


@pytest.mark.parametrize(
    "failure", [PermissionError(), ProcessLookupError(), BrokerUnavailableError("x", "y")]
)
def test_arguments_that_cannot_be_read(tmp_path: Path, failure: Exception) -> None:
    def fail(_pid: int, _started: int) -> Sequence[bytes]:
        raise failure

    with running(tmp_path, "dockerd") as pid:
        assert pid not in find(RunningDaemons(fail), 0.0)


def test_arguments_without_end_are_not_kept(tmp_path: Path) -> None:
    with running(tmp_path, "dockerd", "x" * (16 << 10)) as pid:
        assert pid not in find(RunningDaemons(), 0.0)


def make_process(root: Path, pid: int, *, uid: int = 0, name: str = "dockerd") -> None:
    """Make the files of a process below a directory that stands for /proc."""
    folder = root / str(pid)
    folder.mkdir(parents=True)
    (folder / "comm").write_text(f"{name}\n")
    (folder / "stat").write_text(f"{pid} ({name}) S " + " ".join(str(number) for number in range(4, 53)))
    (folder / "status").write_text(f"Name:\t{name}\nUid:\t7\t{uid}\t7\t7\n")
    (folder / "cgroup").write_text("0::/\n")


def only_name(_pid: int, _started: int) -> Sequence[bytes]:
    return (b"dockerd",)


def test_another_process_that_got_the_number_meanwhile_is_none(tmp_path: Path) -> None:
    make_process(tmp_path, 5)

    def replace(_pid: int, started: int) -> Sequence[bytes]:
        stat = (tmp_path / "5" / "stat").read_text()
        (tmp_path / "5" / "stat").write_text(stat.replace(f" {started} ", f" {started + 1000} "))
        return (b"dockerd",)

    assert find(RunningDaemons(replace, str(tmp_path)), 0.0) == {}
    assert 5 in find(RunningDaemons(only_name, str(tmp_path)), 0.0)


def test_a_process_that_has_its_name_and_no_arguments_yet_is_read_again(tmp_path: Path) -> None:
    make_process(tmp_path, 5)
    arguments = [b""]
    daemons, clock = RunningDaemons(lambda *_: arguments, str(tmp_path)), Clock()
    assert clock.find(daemons) == {}
    arguments[:] = [b"dockerd", b"--data-root=/srv"]
    assert clock.find(daemons)[5].option("--data-root") == "/srv"


def test_user_is_the_effective_one(tmp_path: Path) -> None:
    make_process(tmp_path, 5, uid=1000)
    assert find(RunningDaemons(only_name, str(tmp_path)), 0.0)[5].uid == 1000


@pytest.mark.parametrize(
    ("name", "content"), [("stat", "x"), ("status", "x"), ("status", "Uid:\n"), ("status", "Uid:\t0\n")]
)
def test_malformed_files_of_a_process(tmp_path: Path, name: str, content: str) -> None:
    make_process(tmp_path, 5)
    (tmp_path / "5" / name).write_text(content)
    assert find(RunningDaemons(only_name, str(tmp_path)), 0.0) == {}


def test_a_procfs_that_cannot_be_read_has_no_daemons(tmp_path: Path) -> None:
    assert find(RunningDaemons(only_name, str(tmp_path / "none")), 0.0) == {}


def test_users_cannot_make_it_keep_any_number_of_daemons(tmp_path: Path) -> None:
    for pid in range(1, 1101):
        make_process(tmp_path, pid, uid=1000)
    make_process(tmp_path, 2000, uid=0)
    found = find(RunningDaemons(only_name, str(tmp_path)), 0.0)
    assert len(found) == 1024 + 1
    assert 2000 in found


def test_a_process_that_got_the_number_of_another_is_found_within_a_minute(tmp_path: Path) -> None:
    make_process(tmp_path, 5, name="bash")
    daemons, clock = RunningDaemons(only_name, str(tmp_path)), Clock()
    for _ in range(4):
        assert clock.find(daemons) == {}
    (tmp_path / "5" / "comm").write_text("dockerd\n")
    assert clock.find(daemons) == {}
    assert 5 in find(daemons, clock.now + 61.0)


def test_many_processes_take_many_steps(tmp_path: Path) -> None:
    for pid in range(1, 301):
        make_process(tmp_path, pid, name="bash")
    assert len(list(RunningDaemons(only_name, str(tmp_path)).find(0.0))) >= 300 / 64
