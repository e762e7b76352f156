"""The tree of cgroups: where it is mounted, the id of each directory, and the processes in it."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError
from exporter.kernel.processes.cgroups import CgroupTree, Mount, find_mount
from testbed import seccomp
from tests.kernel.limits import no_free_descriptor
from tests.kernel.procfs_tree import put

PURE = b"25 30 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
HYBRID = b"""31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
34 31 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
IN_NAMESPACE = b"40 30 0:23 / /sys/fs/cgroup ro - cgroup2 cgroup ro"
HOST = rb"41 30 0:23 /../../.. /host/sys\040fs/cgroup ro shared:1 master:2 - cgroup2 cgroup ro"
PART = b"42 30 0:23 /system.slice/a.service /mnt/part rw - cgroup2 cgroup2 rw"
PAUSE_SECONDS = 3.0


@pytest.mark.parametrize(
    ("mountinfo", "expected"),
    [
        (PURE, Mount(b"/sys/fs/cgroup", b"/")),
        (HYBRID, Mount(b"/sys/fs/cgroup/unified", b"/")),
        (IN_NAMESPACE + b"\n" + HOST + b"\n", Mount(b"/host/sys fs/cgroup", b"/../../..")),
        (PART + b"\n" + PURE, Mount(b"/sys/fs/cgroup", b"/")),
        (PART, Mount(b"/mnt/part", b"/system.slice/a.service")),
        (b"34 31 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory", None),
        (b"34 31 0:31 / /a rw - tmpfs cgroup2 rw - cgroup2", None),
        (b"- cgroup2", None),
        (b"", None),
    ],
)
def test_the_mount_that_shows_the_largest_part_is_found(mountinfo: bytes, expected: Mount | None) -> None:
    assert find_mount(mountinfo) == expected


@given(
    st.one_of(st.binary(), st.lists(st.sampled_from([*PURE.split(b" "), b"-", b"", rb"\777"])).map(b" ".join))
)
@example(rb"1 2 3 \400 \999 rw - cgroup2")
def test_any_mountinfo_is_a_mount_or_none(mountinfo: bytes) -> None:
    found = find_mount(mountinfo)
    assert found is None or isinstance(found, Mount)


def tree_at(root: Path, top: bytes = b"/") -> tuple[CgroupTree, Path]:
    """Return a tree with a few directories below `root`, and its mount point."""
    put(root, "proc/self/mountinfo", b"1 2 0:23 " + top + b" /cg rw - cgroup2 none rw\n")
    point = root / "cg"
    for name in ("system.slice/web.service", "system.slice/db.service", "user.slice"):
        (point / name).mkdir(parents=True)
        (point / name / "cgroup.procs").write_text("")
    return CgroupTree(root), point


def identity(path: Path) -> int:
    return path.stat().st_ino


def test_each_id_has_the_path_of_its_directory(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    web = identity(point / "system.slice/web.service")
    assert tree.path(web) is None
    list(tree.look_for([web], 0.0))
    assert tree.path(web) == b"/system.slice/web.service"
    assert tree.path(identity(point / "user.slice")) == b"/user.slice"
    assert tree.path(identity(point)) == b"/"


def test_where_a_part_of_the_tree_is_mounted_paths_are_whole(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path, b"/machine.slice/box.scope")
    put(point, "user.slice/cgroup.procs", "7\n")
    list(tree.look_for([1], 0.0))
    path = tree.path(identity(point / "user.slice"))
    assert path == b"/machine.slice/box.scope/user.slice"
    assert tree.path(identity(point)) == b"/machine.slice/box.scope"
    assert tree.pids(path) == [7]
    assert tree.pids(b"/elsewhere/user.slice") == []


def test_in_a_cgroup_namespace_the_paths_of_the_host_begin_at_its_root(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path, b"/../..")
    list(tree.look_for([1], 0.0))
    assert tree.path(identity(point / "user.slice")) == b"/user.slice"


def test_each_step_reads_one_directory(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    assert len(list(tree.look_for([identity(point / "user.slice")], 0.0))) == 5


def test_a_walk_that_does_not_come_to_its_end_changes_nothing(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    user = identity(point / "user.slice")
    next(tree.look_for([user], 0.0))
    assert tree.path(user) is None


def steps(walk: Iterator[None]) -> int:
    return len(list(walk))


def test_no_walk_is_made_for_an_id_that_is_known(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    user = identity(point / "user.slice")
    assert steps(tree.look_for([user], 0.0))
    assert not steps(tree.look_for([user], 1000.0))


def test_there_are_seconds_between_two_walks(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    assert steps(tree.look_for([identity(point / "user.slice")], 0.0))
    (point / "new.slice").mkdir()
    new = identity(point / "new.slice")
    assert not steps(tree.look_for([new], PAUSE_SECONDS - 0.1))
    assert steps(tree.look_for([new], PAUSE_SECONDS))
    assert tree.path(new) == b"/new.slice"


def test_no_second_walk_is_made_for_a_directory_that_is_gone(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    gone = identity(point / "user.slice") + 1_000_000_007
    assert steps(tree.look_for([gone], 0.0))
    assert not steps(tree.look_for([gone], 1000.0))
    assert steps(tree.look_for([gone, gone + 1], 1000.0))
    assert not steps(tree.look_for([gone, gone + 1], 2000.0))


def test_a_directory_that_is_removed_during_the_walk_is_skipped(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    walk = tree.look_for([identity(point / "user.slice")], 0.0)
    next(walk)
    (point / "user.slice/cgroup.procs").unlink()
    (point / "user.slice").rmdir()
    list(walk)
    assert tree.path(identity(point / "system.slice")) == b"/system.slice"


def test_links_are_not_followed(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    (point / "user.slice/loop").symlink_to(point)
    assert steps(tree.look_for([1], 0.0)) == 5


def test_processes_of_a_cgroup_are_those_in_it(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    put(point, "system.slice/web.service/cgroup.procs", "10\n0\n11\n")
    assert tree.pids(b"/system.slice/web.service") == [10, 11]
    assert tree.pids(b"/system.slice/gone.service") == []


@pytest.mark.netns
@pytest.mark.parametrize("number", [errno.ENODEV, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM, errno.ENOENT])
def test_a_cgroup_that_cannot_be_listed_has_none_below_it(tmp_path: Path, number: int) -> None:
    """ENODEV is what a directory that was removed meanwhile fails with."""
    tree, point = tree_at(tmp_path)
    seccomp.deny_call("getdents64", number)
    assert steps(tree.look_for([1], 0.0)) == 1
    assert tree.path(identity(point)) == b"/"
    assert tree.path(identity(point / "user.slice")) is None


@pytest.mark.netns
@pytest.mark.parametrize("number", [errno.ENODEV, errno.EOPNOTSUPP, errno.EACCES, errno.EPERM, errno.ENOENT])
def test_a_cgroup_whose_processes_cannot_be_read_has_none(tmp_path: Path, number: int) -> None:
    """EOPNOTSUPP is what a cgroup of threads fails with."""
    tree, point = tree_at(tmp_path)
    put(point, "user.slice/cgroup.procs", "7\n")
    seccomp.deny_call("read", number)
    assert tree.pids(b"/user.slice") == []


@pytest.mark.netns
@pytest.mark.parametrize("number", [errno.ENFILE, errno.ENOMEM, errno.EIO])
def test_an_error_that_may_pass_is_raised(tmp_path: Path, number: int) -> None:
    tree, _ = tree_at(tmp_path)
    seccomp.deny_call("openat", number)
    for ask in (lambda: tree.pids(b"/user.slice"), lambda: list(tree.look_for([1], 0.0))):
        with pytest.raises(KernelError) as failed:
            ask()
        assert (type(failed.value), failed.value.errno) == (KernelError, number)


def test_without_a_free_descriptor_it_is_a_kernel_error(tmp_path: Path) -> None:
    tree, _ = tree_at(tmp_path)
    calls: list[Callable[[], object]] = [
        lambda: tree.pids(b"/user.slice"),
        lambda: list(tree.look_for([1], 0.0)),
        lambda: CgroupTree(tmp_path),
    ]
    with no_free_descriptor():
        for call in calls:
            with pytest.raises(KernelError) as failed:
                call()
            assert (type(failed.value), failed.value.errno) == (KernelError, errno.EMFILE)


@pytest.mark.parametrize("mountinfo", [None, "34 31 0:31 / /cg rw - cgroup cgroup rw,memory\n"])
def test_a_host_without_version_2_has_no_tree(tmp_path: Path, mountinfo: str | None) -> None:
    if mountinfo is not None:
        put(tmp_path, "proc/self/mountinfo", mountinfo)
    tree = CgroupTree(tmp_path)
    assert not tree.available
    assert not steps(tree.look_for([1], 0.0))
    assert (tree.path(1), tree.pids(b"/")) == (None, [])
