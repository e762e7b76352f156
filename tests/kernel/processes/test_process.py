"""Who holds which sockets, and who a process is, from trees that look like /proc."""

from __future__ import annotations

import os
import pwd
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError, MalformedReplyError
from exporter.kernel.processes import process as processes
from exporter.kernel.processes.process import Process, Processes, ProcessSockets
from testbed import privileges
from tests.kernel.procfs_tree import descriptors, process, put

NAMES = st.binary(min_size=1, max_size=15).filter(lambda name: b"\0" not in name)


def held(root: Path) -> dict[int, set[int]]:
    found: dict[int, set[int]] = {}
    for holding in walk(root):
        found.setdefault(holding.pid, set()).update(holding.inodes)
    return found


def walk(root: Path = Path("/proc")) -> Iterator[ProcessSockets]:
    """Look into every process, as who looks for owners does."""
    table = Processes(root)
    for pid in table.pids():
        yield from table.sockets(pid)


def test_sockets_are_told_from_what_else_a_process_has_open(tmp_path: Path) -> None:
    descriptors(tmp_path, 10, ["socket:[4711]", "/dev/null", "pipe:[12]", "socket:[4712]", "anon_inode:[a]"])
    descriptors(tmp_path, 11, ["socket:[4711]", "/run/socket:[13]", "socket:[14] (deleted)"])
    descriptors(tmp_path, 12, [])
    put(tmp_path, "self", "")
    put(tmp_path, "net/tcp", "")
    put(tmp_path, "1a/fd/0", "")
    assert {pid: inodes for pid, inodes in held(tmp_path).items() if inodes} == {10: {4711, 4712}, 11: {4711}}


def test_a_process_with_very_many_descriptors_comes_in_portions(tmp_path: Path) -> None:
    descriptors(tmp_path, 10, [f"socket:[{inode}]" for inode in range(1, 1001)])
    portions = list(walk(tmp_path))
    assert len(portions) > 1
    assert max(len(portion.inodes) for portion in portions) < 500
    assert held(tmp_path) == {10: set(range(1, 1001))}


def test_the_walk_holds_no_descriptor_when_it_is_given_up(tmp_path: Path) -> None:
    descriptors(tmp_path, 10, [f"socket:[{inode}]" for inode in range(1, 1001)])
    before = len(list(Path("/proc/self/fd").iterdir()))
    steps = walk(tmp_path)
    next(steps)
    del steps
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_process_that_ends_during_the_walk_is_skipped(tmp_path: Path) -> None:
    for pid in (10, 11, 12):
        descriptors(tmp_path, pid, ["socket:[1]"])
    steps = walk(tmp_path)
    first = next(steps).pid
    gone = next(pid for pid in (10, 11, 12) if pid != first)
    (tmp_path / str(gone) / "fd/0").unlink()
    (tmp_path / str(gone) / "fd").rmdir()
    assert {first, *(holding.pid for holding in steps)} == {10, 11, 12} - {gone}


@pytest.mark.netns
def test_a_process_of_another_user_is_denied_and_no_error() -> None:
    privileges.drop_to()
    found = {holding.pid: holding for holding in walk()}
    assert found[1] == ProcessSockets(1, denied=True)
    assert not found[os.getpid()].denied


def test_a_socket_of_this_process_is_found_by_its_inode() -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        assert os.fstat(opened.fileno()).st_ino in held(Path("/proc"))[os.getpid()]


@given(NAMES, st.integers(0, 2**63))
@example(b"a) S 1 2 (b", 5)
@example(b"\xff\xfe)", 5)
@example(b"\n", 5)
def test_any_name_and_start_of_a_process_is_read(name: bytes, started: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        process(Path(folder), 10, name, started=started)
        assert Processes(Path(folder)).read(10) == Process(10, started, name)


def test_this_process_is_who_it_is() -> None:
    found = Processes().read(os.getpid())
    assert found is not None
    assert found.name == Path("/proc/self/comm").read_bytes().rstrip(b"\n")
    assert found.started > 0
    assert found.cgroup == Path("/proc/self/cgroup").read_bytes()


def test_the_cgroup_of_a_process_is_read_where_it_is_shown(tmp_path: Path) -> None:
    process(tmp_path, 10, b"a")
    put(tmp_path, "10/cgroup", "0::/a.service\n")
    process(tmp_path, 11, b"a")
    read = Processes(tmp_path).read
    assert (read(10), read(11)) == (Process(10, 1, b"a", b"0::/a.service\n"), Process(11, 1, b"a", b""))


def test_no_proc_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(KernelError, match="ENOENT"):
        Processes(tmp_path / "proc").pids()


@pytest.mark.parametrize("left", [[], ["comm"], ["stat"]])
def test_a_process_that_is_gone_is_none(tmp_path: Path, left: list[str]) -> None:
    process(tmp_path, 10, b"a")
    for name in {"comm", "stat"} - set(left):
        (tmp_path / "10" / name).unlink()
    assert Processes(tmp_path).read(10) is None


@pytest.mark.parametrize("stat", [b"", b"10 (a) S 1 2", b"10 (a) " + b"x " * 40, b"10 a" + b" 1" * 15])
def test_a_malformed_stat_is_an_error_that_names_the_file(tmp_path: Path, stat: bytes) -> None:
    process(tmp_path, 10, b"a")
    path = put(tmp_path, "10/stat", stat)
    with pytest.raises(MalformedReplyError, match=str(path)):
        Processes(tmp_path).read(10)


@given(st.binary(max_size=200), st.binary(max_size=20))
def test_any_stat_is_a_process_or_malformed(stat: bytes, name: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        put(Path(folder), "10/stat", stat)
        put(Path(folder), "10/comm", name)
        try:
            assert isinstance(Processes(Path(folder)).read(10), Process)
        except MalformedReplyError as error:
            assert "10/stat" in str(error)  # noqa: PT017  (either outcome is right)


def test_a_user_is_named_where_there_is_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody(_: int) -> None:
        raise KeyError

    assert processes.user_name(0) == pwd.getpwuid(0).pw_name
    monkeypatch.setattr(pwd, "getpwuid", nobody)
    assert processes.user_name(4294967294) == "4294967294"
