"""Reading /proc: files, descriptors, and the start of a process, whatever its name is."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter import proc
from tests.broker.leaderless_process import leaderless_process
from tests.broker.namespaced_process import descriptors as own_descriptors
from tests.kernel.limits import no_free_descriptor
from tests.kernel.procfs_tree import descriptors, put


def test_a_file_is_read_to_its_end_and_closed(tmp_path: Path) -> None:
    path = put(tmp_path, "file", b"x" * 200_000)
    before = own_descriptors()
    assert proc.read_file(str(path)) == b"x" * 200_000
    assert own_descriptors() == before


def test_a_file_is_closed_where_it_cannot_be_read(tmp_path: Path) -> None:
    before = own_descriptors()
    with pytest.raises(IsADirectoryError):
        proc.read_file(str(tmp_path))
    assert own_descriptors() == before


def test_descriptors_are_not_inherited(tmp_path: Path) -> None:
    path = put(tmp_path, "file", b"")
    for descriptor in (proc.open_file(str(path)), proc.open_directory(str(tmp_path))):
        assert not os.get_inheritable(descriptor)
        os.close(descriptor)


def test_processes_are_the_directories_with_a_number(tmp_path: Path) -> None:
    for name in ("1", "4711", "self", "1a", "net", "-1"):
        (tmp_path / name).mkdir()
    assert sorted(proc.pids(str(tmp_path))) == [1, 4711]
    assert os.getpid() in proc.pids()


@given(st.binary(max_size=15), st.integers(0, 2**63))
@example(b"a) S 1 2 (b", 5)
@example(b"\n", 5)
def test_the_start_is_found_after_any_name(name: bytes, started: int) -> None:
    columns = [b"S", *[b"%d" % column for column in range(1, 19)], b"%d" % started, *[b"0"] * 30]
    assert proc.start_ticks(b"10 (" + name + b") " + b" ".join(columns) + b"\n") == started


def test_the_parent_is_that_which_the_kernel_tells() -> None:
    assert proc.parent(Path("/proc/self/stat").read_bytes()) == os.getppid()
    assert proc.parent(b"10 (a) S 1 2) R 7 8 9\n") == 7
    for stat in (b"", b"10 (a) S", b"10 (a) S x"):
        with pytest.raises(ValueError, match=r"parent|invalid literal"):
            proc.parent(stat)


@pytest.mark.parametrize("stat", [b"", b"10 (a) S 1 2", b"10 (a) " + b"x " * 40, b"10 a" + b" 1" * 15])
def test_a_malformed_stat_is_a_value_error(stat: bytes) -> None:
    with pytest.raises(ValueError, match=r"start|invalid literal"):
        proc.start_ticks(stat)


@given(st.binary(max_size=300))
def test_any_stat_is_a_number_or_a_value_error(stat: bytes) -> None:
    try:
        assert isinstance(proc.start_ticks(stat), int)
    except ValueError:
        return


def test_sockets_are_told_from_other_descriptors(tmp_path: Path) -> None:
    links = [
        "socket:[4711]",
        "/dev/null",
        "pipe:[12]",
        "/run/socket:[13]",
        "socket:[14] (deleted)",
        "socket:[15]",
    ]
    descriptors(tmp_path, 10, links)
    directory = proc.open_directory(str(tmp_path / "10/fd"))
    names = os.listdir(directory)  # noqa: PTH208  (pathlib takes no descriptor)
    assert sorted(proc.socket_inodes(directory, [*names, "closed"])) == [15, 4711]
    os.close(directory)


def test_a_socket_of_this_process_has_its_inode() -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        directory = proc.open_directory("/proc/self/fd")
        assert proc.socket_inodes(directory, [str(opened.fileno())]) == [os.fstat(opened.fileno()).st_ino]
        os.close(directory)


def test_the_network_namespace_is_that_of_its_file() -> None:
    assert proc.network_namespace(os.getpid()) == Path("/proc/self/ns/net").stat().st_ino


def test_what_only_another_thread_has_is_found(tmp_path: Path) -> None:
    """The first thread of a process has ended: its directory has no namespace, and no descriptor."""
    for thread in (10, 11, 12):
        (tmp_path / f"10/task/{thread}/fd").mkdir(parents=True)
    descriptors(tmp_path, 10, [])
    assert proc.network_namespace(10, str(tmp_path)) is None
    assert proc.descriptors(10, str(tmp_path))[1] == []
    (tmp_path / "10/task/12/ns").mkdir()
    (tmp_path / "10/task/12/ns/net").symlink_to("net:[4711]")
    (tmp_path / "10/task/12/fd/3").symlink_to("socket:[15]")
    assert proc.network_namespace(10, str(tmp_path)) == 4711
    assert proc.descriptors(10, str(tmp_path)) == (str(tmp_path / "10/task/12/fd"), ["3"])


def test_other_threads_are_looked_at_only_where_the_first_has_nothing(tmp_path: Path) -> None:
    descriptors(tmp_path, 10, ["socket:[15]"])
    (tmp_path / "10/ns").mkdir()
    (tmp_path / "10/ns/net").symlink_to("net:[4711]")
    assert not (tmp_path / "10/task").exists()
    assert proc.network_namespace(10, str(tmp_path)) == 4711
    assert proc.descriptors(10, str(tmp_path))[1] == ["0"]


@pytest.mark.netns
def test_a_process_whose_first_thread_has_ended_has_a_namespace_and_sockets() -> None:
    with leaderless_process(8080) as (pid, inode):
        assert proc.network_namespace(pid) == inode
        path, names = proc.descriptors(pid)
        directory = proc.open_directory(path)
        assert len(proc.socket_inodes(directory, names)) == 1
        os.close(directory)


def test_a_link_that_is_no_namespace_is_none(tmp_path: Path) -> None:
    (tmp_path / "10/ns").mkdir(parents=True)
    (tmp_path / "10/ns/net").symlink_to("gone")
    assert proc.network_namespace(10, str(tmp_path)) is None


def test_errors_are_those_of_the_system_call() -> None:
    with no_free_descriptor():
        for read in (
            lambda: proc.read_file("/proc/self/stat"),
            proc.pids,
            lambda: proc.open_directory("/proc"),
        ):
            with pytest.raises(OSError, match="open files") as failed:
                read()
            assert failed.value.errno == errno.EMFILE
    with pytest.raises(FileNotFoundError):
        proc.network_namespace(2**31 - 1)
