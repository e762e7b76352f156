"""What a process and its children do, beside real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from exporter import proc
from exporter.kernel.processes.activity import ProcessActivity, activities
from testbed.waiting import equals, until
from tests.broker.test_process_files import leaderless

_SLEEP = "import time; time.sleep(600)"
# Opens a socket, and starts a child that holds it too, which sleeps as well.
_MASTER = (
    "import socket, subprocess, sys; opened = socket.socket(); "
    f"subprocess.run([sys.executable, '-c', {_SLEEP!r}], pass_fds=[opened.fileno()])"
)
# Starts one before that which holds nothing.
_WITH_ANOTHER = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {_SLEEP!r}]); {_MASTER}"


def started(pid: int) -> int:
    return proc.start_ticks(proc.read_file(f"/proc/{pid}/stat"))


def sockets(pid: int) -> set[int]:
    path, names = proc.descriptors(pid)
    directory = proc.open_directory(path)
    try:
        return set(proc.socket_inodes(directory, names))
    finally:
        os.close(directory)


def of_sockets(pid: int) -> list[ProcessActivity]:
    """What is told of a process, and of children that hold its sockets."""
    own = sockets(pid)
    return list(activities(pid, started(pid), lambda child: not own.isdisjoint(sockets(child))))


def children(pid: int) -> list[int]:
    return [int(each) for each in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_stopped_process_and_its_children_are_told() -> None:
    master = subprocess.Popen([sys.executable, "-c", _MASTER])
    try:

        def seen() -> list[ProcessActivity]:
            return of_sockets(master.pid)

        own, child = until(seen, lambda each: len(each) == 2)
        assert (own.pid, own.stopped, child.stopped) == (master.pid, False, False)
        os.kill(child.pid, signal.SIGSTOP)
        until(seen, lambda each: [one.stopped for one in each] == [False, True])
        os.kill(child.pid, signal.SIGKILL)
    finally:
        master.kill()
        master.wait()


def test_a_process_whose_first_thread_has_ended_does_what_another_does() -> None:
    with leaderless() as pid:
        (own,) = until(lambda: list(activities(pid, started(pid), bool)), lambda each: each[0].state == "S")
        assert own.name == Path(f"/proc/{pid}/comm").read_text().removesuffix("\n")
        os.kill(pid, signal.SIGSTOP)
        until(lambda: [each.stopped for each in activities(pid, started(pid), bool)], equals([True]))


def test_a_child_that_another_thread_has_forked_is_told() -> None:
    program = f"import threading; threading.Thread(target=lambda: exec({_MASTER!r})).start()"
    master = subprocess.Popen([sys.executable, "-c", program])
    try:
        _, child = until(lambda: of_sockets(master.pid), lambda each: len(each) == 2)
        os.kill(child.pid, signal.SIGKILL)
    finally:
        master.kill()
        master.wait()


def test_a_child_that_does_not_hold_the_socket_is_not_told() -> None:
    master = subprocess.Popen([sys.executable, "-c", _WITH_ANOTHER])
    try:
        until(lambda: children(master.pid), lambda each: len(each) == 2)
        # Until it has run the program, the child has what its parent has.
        own, child = until(lambda: of_sockets(master.pid), lambda each: len(each) == 2)
        assert own.pid == master.pid
        (other,) = set(children(master.pid)) - {child.pid}
        for pid in (child.pid, other):
            os.kill(pid, signal.SIGKILL)
    finally:
        master.kill()
        master.wait()


def test_where_the_kernel_does_not_tell_children_the_process_itself_is_told(tmp_path: Path) -> None:
    """It may be built without CONFIG_PROC_CHILDREN."""
    own = os.getpid()
    (tmp_path / f"{own}/task/{own}").mkdir(parents=True)
    (tmp_path / f"{own}/stat").write_bytes(Path("/proc/self/stat").read_bytes())
    assert [each.pid for each in activities(own, started(own), bool, str(tmp_path))] == [own]


def test_its_open_files_are_counted_where_the_kernel_tells_them() -> None:
    (own, *_) = activities(os.getpid(), started(os.getpid()), bool)
    if not Path("/proc/self/fd").stat().st_size:
        pytest.skip("before Linux 6.2 the number of open files is not told")
    assert own.open_files is not None
    assert own.max_open_files is not None
    assert 3 <= own.open_files < own.max_open_files
    assert not own.out_of_files


def test_another_process_with_the_number_is_not_taken_for_it() -> None:
    assert list(activities(os.getpid(), started(os.getpid()) + 1, bool)) == []


@pytest.mark.parametrize(
    ("open_files", "max_open_files", "out"),
    [(32, 32, True), (31, 32, False), (None, 32, False), (32, None, False)],
)
def test_a_number_that_is_not_known_is_not_out_of_files(
    open_files: int | None,
    max_open_files: int | None,
    out: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    assert ProcessActivity(1, "a", "S", open_files, max_open_files).out_of_files is out
