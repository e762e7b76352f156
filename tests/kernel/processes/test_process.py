"""Processes, read from /proc by this process and by the broker: both return the same in every case."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import socket
import subprocess
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError, MalformedReplyError
from exporter.kernel.processes.brokered import BrokeredProcesses
from exporter.kernel.processes.process import (
    Process,
    Processes,
    ProcessSockets,
    ProcessStat,
    ProcessTable,
    ProcfsProcesses,
)
from testbed import privileges, syscalls
from tests.broker.broker_thread import broker_thread
from tests.broker.namespaced_process import descriptors as own_descriptors
from tests.broker.test_process_files import leaderless
from tests.kernel.limits import no_free_descriptor
from tests.kernel.procfs_tree import descriptors, process, put

PROC = Path("/proc")
Reader = Callable[[Path], ProcessTable]


@pytest.fixture(params=["own", "brokered"])
def reader(request: pytest.FixtureRequest) -> Iterator[Reader]:
    """Read processes below a directory, by this process or by the broker."""
    with ExitStack() as stack:

        def brokered(root: Path) -> ProcessTable:
            return BrokeredProcesses(stack.enter_context(broker_thread(root)))

        yield Processes if request.param == "own" else brokered


def all_sockets(table: ProcessTable) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for pid in table.pids():
        for portion in table.sockets(pid):
            found.setdefault(pid, set()).update(portion.inodes)
    return found


def test_processes_and_their_sockets(reader: Reader, tmp_path: Path) -> None:
    descriptors(tmp_path, 10, ["socket:[4711]", "/dev/null", "pipe:[12]", "socket:[4712]", "anon_inode:[a]"])
    descriptors(tmp_path, 11, ["socket:[4711]", "/run/socket:[13]", "socket:[14] (deleted)"])
    descriptors(tmp_path, 12, [])
    put(tmp_path, "self", "")
    put(tmp_path, "net/tcp", "")
    put(tmp_path, "1a/fd/0", "")
    table = reader(tmp_path)
    assert sorted(table.pids()) == [10, 11, 12]
    assert {pid: inodes for pid, inodes in all_sockets(table).items() if inodes} == {
        10: {4711, 4712},
        11: {4711},
    }


def test_a_process_with_very_many_descriptors(reader: Reader, tmp_path: Path) -> None:
    descriptors(tmp_path, 10, [f"socket:[{inode}]" for inode in range(1, 5001)])
    assert all_sockets(reader(tmp_path)) == {10: set(range(1, 5001))}


def test_a_process_with_a_cgroup(reader: Reader, tmp_path: Path) -> None:
    process(tmp_path, 10, b"a", started=7)
    put(tmp_path, "10/cgroup", "0::/a.service\n")
    assert reader(tmp_path).read(10) == Process(10, 7, b"a", b"0::/a.service\n")


def test_a_kernel_without_cgroups_has_processes_without_one(reader: Reader, tmp_path: Path) -> None:
    """It has no file for it, and the process is there all the same."""
    process(tmp_path, 10, b"a", started=7)
    assert reader(tmp_path).read(10) == Process(10, 7, b"a", b"")


@pytest.mark.parametrize("name", [b"a b", b"a) S 1 2 (b", b"\xff\xfe)", b"\n", b"a\nb", b""])
def test_a_name_of_any_bytes(reader: Reader, tmp_path: Path, name: bytes) -> None:
    process(tmp_path, 10, name, started=7)
    assert reader(tmp_path).read(10) == Process(10, 7, name)


def test_a_kernel_thread_has_a_name_and_no_descriptor(reader: Reader, tmp_path: Path) -> None:
    process(tmp_path, 2, b"kthreadd", started=0)
    descriptors(tmp_path, 2, [])
    put(tmp_path, "2/cgroup", "0::/\n")
    table = reader(tmp_path)
    assert table.read(2) == Process(2, 0, b"kthreadd", b"0::/\n")
    assert {inode for portion in table.sockets(2) for inode in portion.inodes} == set()
    assert not any(portion.denied for portion in table.sockets(2))


@pytest.mark.parametrize("left", [[], ["comm"], ["stat"]])
def test_a_process_that_is_gone_is_none(reader: Reader, tmp_path: Path, left: list[str]) -> None:
    process(tmp_path, 10, b"a")
    for name in {"comm", "stat"} - set(left):
        (tmp_path / "10" / name).unlink()
    table = reader(tmp_path)
    assert table.read(10) is None
    assert list(table.sockets(10)) == []


def test_a_process_that_has_ended_is_none(reader: Reader) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
    table = reader(PROC)
    assert (table.read(pid), list(table.sockets(pid))) == (None, [])
    assert pid not in table.pids()


def test_a_zombie_has_a_name_and_no_socket(reader: Reader) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    table = reader(PROC)
    found = table.read(pid)
    assert found is not None
    assert found.name == Path(f"/proc/{pid}/comm").read_bytes().removesuffix(b"\n")
    assert {inode for portion in table.sockets(pid) for inode in portion.inodes} == set()
    os.waitpid(pid, 0)


def test_a_process_whose_first_thread_has_ended_is_alive(reader: Reader) -> None:
    with leaderless() as pid:
        table = reader(PROC)
        found, stat = table.read(pid), table.stat(pid)
        assert found is not None
        assert stat == ProcessStat(found.started, found.name)
        assert table.executable(pid) == table.executable(os.getpid()) != b""


def test_a_process_of_which_no_thread_lives_has_no_stat_and_no_program(reader: Reader) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    table = reader(PROC)
    assert (table.stat(pid), table.executable(pid)) == (None, b"")
    os.waitpid(pid, 0)


def test_this_process(reader: Reader) -> None:
    table = reader(PROC)
    found = table.read(os.getpid())
    assert found is not None
    assert found.name == Path("/proc/self/comm").read_bytes().removesuffix(b"\n")
    assert found.started > 0
    assert found.cgroup == Path("/proc/self/cgroup").read_bytes()
    with socket.socket(socket.AF_UNIX) as opened:
        inodes = {inode for portion in table.sockets(os.getpid()) for inode in portion.inodes}
        assert os.fstat(opened.fileno()).st_ino in inodes


def process_of_root() -> int:
    """Start a process that waits as long as the test runs, and return its number."""
    pid = os.fork()
    if pid == 0:
        syscalls.die_with_parent()
        while True:
            signal.pause()
    return pid


@pytest.mark.netns
def test_the_descriptors_of_another_user_are_denied(reader: Reader) -> None:
    pid = process_of_root()
    privileges.drop_to()
    table = reader(PROC)
    assert list(table.sockets(pid)) == [ProcessSockets(pid, denied=True)]
    assert not any(portion.denied for portion in table.sockets(os.getpid()))
    found = table.read(pid)
    assert found is not None
    assert found.name == Path(f"/proc/{pid}/comm").read_bytes().removesuffix(b"\n")


@pytest.mark.netns
@pytest.mark.parametrize(("hidepid", "listed"), [(1, True), (2, False)])
def test_a_process_that_hidepid_hides_is_none(reader: Reader, hidepid: int, listed: bool) -> None:  # noqa: FBT001
    """With 1 it is in the list and may not be read, with 2 it is not even in the list."""
    pid = process_of_root()
    syscalls.mount_empty("/run")
    root = Path("/run/proc")
    root.mkdir()
    options = f"hidepid={hidepid}".encode()
    try:
        syscalls.call("mount", b"proc", bytes(root), b"proc", ctypes.c_ulong(0), options)
    except OSError as refused:
        pytest.skip(f"procfs cannot be mounted with {options.decode()}: {refused}")
    privileges.drop_to()
    table = reader(root)
    assert (pid in table.pids()) is listed
    assert table.read(pid) is None
    assert list(table.sockets(pid)) == ([ProcessSockets(pid, denied=True)] if listed else [])
    own = table.read(os.getpid())
    assert own is not None
    assert own.pid == os.getpid()


@pytest.mark.parametrize("stat", [b"", b"10 (a) S 1 2", b"10 (a) " + b"x " * 40, b"10 a" + b" 1" * 15])
def test_a_malformed_stat_is_an_error_that_names_the_file(
    reader: Reader, tmp_path: Path, stat: bytes
) -> None:
    process(tmp_path, 10, b"a")
    put(tmp_path, "10/stat", stat)
    with pytest.raises(MalformedReplyError, match="/10/stat: "):
        reader(tmp_path).read(10)


def test_without_proc_it_is_an_error(reader: Reader, tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="ENOENT"):
        reader(tmp_path / "proc").pids()


def test_without_a_free_descriptor_it_is_a_kernel_error(reader: Reader) -> None:
    table = reader(PROC)
    calls: list[Callable[[], object]] = [
        table.pids,
        lambda: table.read(os.getpid()),
        lambda: list(table.sockets(os.getpid())),
    ]
    with no_free_descriptor():
        for call in calls:
            with pytest.raises(KernelError) as failed:
                call()
            assert (type(failed.value), failed.value.errno) == (KernelError, errno.EMFILE)


def test_no_descriptor_stays_open_when_sockets_are_not_read_to_the_end(tmp_path: Path) -> None:
    descriptors(tmp_path, 10, [f"socket:[{inode}]" for inode in range(1, 1001)])
    before = own_descriptors()
    portions = Processes(tmp_path).sockets(10)
    assert 0 < len(next(portions).inodes) < 500
    del portions
    assert own_descriptors() == before


@dataclass
class Replies(ProcfsProcesses):
    """What each read of a file of a process returns, in turn; an error is raised."""

    stats: list[bytes | OSError]
    comm: list[bytes | OSError] = field(default_factory=lambda: [b"a\n"])
    cgroup: list[bytes | OSError] = field(default_factory=lambda: [b"0::/\n"])
    exe: list[bytes | OSError] = field(default_factory=list)

    def _pids(self) -> list[int]:
        raise AssertionError

    def _socket_inodes(self, pid: int) -> Iterator[Collection[int]]:
        raise AssertionError(pid)

    def _file(self, pid: int, name: str) -> bytes:
        assert pid == 10
        replies = {"stat": self.stats, "comm": self.comm, "cgroup": self.cgroup, "exe": self.exe}
        reply = replies[name].pop(0)
        if isinstance(reply, OSError):
            raise reply
        return reply

    def _link(self, pid: int, name: str) -> bytes:
        return self._file(pid, name)


def test_the_program_of_a_process_also_where_its_file_was_replaced(reader: Reader, tmp_path: Path) -> None:
    program = tmp_path / "sleeping"
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as child:
        processes = reader(Path("/proc"))
        before = processes.executable(child.pid)
        program.unlink()
        after = processes.executable(child.pid)
        child.kill()
    assert before == after == bytes(program)


def test_a_process_that_is_gone_or_of_the_kernel_runs_no_program(reader: Reader) -> None:
    processes = reader(Path("/proc"))
    assert processes.executable(2**31 - 1) == b""
    kernel = Path("/proc/2/exe")
    if kernel.is_symlink():
        assert processes.executable(2) == b""


@pytest.mark.netns
def test_a_program_that_may_not_be_seen_is_empty() -> None:
    pid = process_of_root()
    privileges.drop_to()
    assert Processes().executable(pid) == b""


def test_an_error_of_a_link_that_does_not_tell_of_the_process_is_raised() -> None:
    with pytest.raises(KernelError, match="cannot read /proc/10/exe"):
        Replies([], exe=[OSError(errno.EMFILE, os.strerror(errno.EMFILE))]).executable(10)


def stat_of(started: int) -> bytes:
    return b"10 (a) S " + b"0 " * 18 + b"%d 0\n" % started


ENDED = OSError(errno.ESRCH, os.strerror(errno.ESRCH))
MISSING = OSError(errno.ENOENT, os.strerror(errno.ENOENT))


@pytest.mark.parametrize(
    "replies",
    [
        pytest.param(Replies([stat_of(1), stat_of(2)]), id="another has got its number"),
        pytest.param(Replies([stat_of(1), ENDED]), id="at the end"),
        pytest.param(Replies([stat_of(1)], comm=[ENDED]), id="before comm"),
        pytest.param(Replies([stat_of(1), MISSING], cgroup=[MISSING]), id="before cgroup"),
        pytest.param(Replies([stat_of(1), ENDED], cgroup=[ENDED]), id="while cgroup is read"),
    ],
)
def test_a_process_that_ends_while_it_is_read_is_none(replies: Replies) -> None:
    assert replies.read(10) is None


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.EPERM])
def test_a_cgroup_that_may_not_be_read_is_empty(number: int) -> None:
    replies = Replies([stat_of(1), stat_of(1)], cgroup=[OSError(number, os.strerror(number))])
    assert replies.read(10) == Process(10, 1, b"a", b"")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EIO])
@pytest.mark.parametrize("name", ["stats", "comm", "cgroup"])
def test_an_error_that_does_not_tell_of_the_process_is_raised(name: str, number: int) -> None:
    replies = Replies([stat_of(1), stat_of(1)])
    setattr(replies, name, [OSError(number, os.strerror(number))])
    with pytest.raises(KernelError) as failed:
        replies.read(10)
    assert (type(failed.value), failed.value.errno) == (KernelError, number)


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_any_stat_and_name_are_a_process_or_malformed(stat: bytes, name: bytes) -> None:
    try:
        found = Replies([stat, stat], comm=[name]).read(10)
    except MalformedReplyError as error:
        assert "10/stat" in str(error)  # noqa: PT017  (either outcome is right)
    else:
        assert isinstance(found, Process)


@pytest.mark.parametrize("stat", [b"7 S" + b" 1" * 30, b"7 a) S" + b" 1" * 30, b") (S" + b" 1" * 30])
def test_a_stat_without_a_name_is_malformed(stat: bytes) -> None:
    with pytest.raises(MalformedReplyError, match="10/stat"):
        Replies([stat]).stat(10)


@given(st.binary(max_size=200))
def test_any_stat_is_a_start_and_a_name_or_malformed(stat: bytes) -> None:
    try:
        found = Replies([stat]).stat(10)
    except MalformedReplyError as error:
        assert "10/stat" in str(error)  # noqa: PT017  (either outcome is right)
    else:
        assert found is None or b"(" + found.name + b")" in stat
