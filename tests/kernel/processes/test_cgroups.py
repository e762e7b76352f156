"""The tree of cgroups: where it is mounted, which directory has which id, and who is in it."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError
from exporter.kernel.processes.cgroups import CgroupTree, Mount, find_mount
from tests.kernel.procfs_tree import put

PURE = b"25 30 0:23 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate"
HYBRID = b"""31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
34 31 0:31 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
"""
OWN_PROCFS = b"40 30 0:23 / /sys/fs/cgroup ro - cgroup2 cgroup ro"
HOSTS = rb"41 30 0:23 /../../.. /host/sys\040fs/cgroup ro shared:1 master:2 - cgroup2 cgroup ro"
PART = b"42 30 0:23 /system.slice/a.service /mnt/part rw - cgroup2 cgroup2 rw"
FEW_SECONDS = 3.0


@pytest.mark.parametrize(
    ("mountinfo", "expected"),
    [
        (PURE, Mount(b"/sys/fs/cgroup", b"/")),
        (HYBRID, Mount(b"/sys/fs/cgroup/unified", b"/")),
        (OWN_PROCFS + b"\n" + HOSTS + b"\n", Mount(b"/host/sys fs/cgroup", b"/../../..")),
        (PART + b"\n" + PURE, Mount(b"/sys/fs/cgroup", b"/")),
        (PART, Mount(b"/mnt/part", b"/system.slice/a.service")),
        (b"34 31 0:31 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory", None),
        (b"34 31 0:31 / /a rw - tmpfs cgroup2 rw - cgroup2", None),
        (b"- cgroup2", None),
        (b"", None),
    ],
)
def test_mount_that_shows_most_is_found(mountinfo: bytes, expected: Mount | None) -> None:
    assert find_mount(mountinfo) == expected


@given(
    st.one_of(st.binary(), st.lists(st.sampled_from([*PURE.split(b" "), b"-", b"", rb"\777"])).map(b" ".join))
)
@example(rb"1 2 3 \400 \999 rw - cgroup2")
def test_any_mountinfo_is_a_mount_or_none(mountinfo: bytes) -> None:
    found = find_mount(mountinfo)
    assert found is None or isinstance(found, Mount)


def tree_at(root: Path, top: bytes = b"/") -> tuple[CgroupTree, Path]:
    """A tree below `root` with a few directories, and where it is mounted."""
    put(root, "proc/self/mountinfo", b"1 2 0:23 " + top + b" /cg rw - cgroup2 none rw\n")
    point = root / "cg"
    for name in ("system.slice/web.service", "system.slice/db.service", "user.slice"):
        (point / name).mkdir(parents=True)
        (point / name / "cgroup.procs").write_text("")
    return CgroupTree(root), point


def identity(path: Path) -> int:
    return path.stat().st_ino


def test_id_of_each_directory_leads_to_its_path(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    web = identity(point / "system.slice/web.service")
    assert tree.path(web) is None
    list(tree.look_for([web], 0.0))
    assert tree.path(web) == b"/system.slice/web.service"
    assert tree.path(identity(point / "user.slice")) == b"/user.slice"
    assert tree.path(identity(point)) == b"/"


def test_below_a_part_of_the_tree_paths_are_whole(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path, b"/machine.slice/box.scope")
    put(point, "user.slice/cgroup.procs", "7\n")
    list(tree.look_for([1], 0.0))
    path = tree.path(identity(point / "user.slice"))
    assert path == b"/machine.slice/box.scope/user.slice"
    assert tree.path(identity(point)) == b"/machine.slice/box.scope"
    assert tree.pids(path) == [7]
    assert tree.pids(b"/elsewhere/user.slice") == []


def test_from_inside_of_a_namespace_the_hosts_paths_begin_at_its_root(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path, b"/../..")
    list(tree.look_for([1], 0.0))
    assert tree.path(identity(point / "user.slice")) == b"/user.slice"


def test_each_step_reads_one_directory(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    assert len(list(tree.look_for([identity(point / "user.slice")], 0.0))) == 5


def test_walk_that_is_given_up_changes_nothing(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    user = identity(point / "user.slice")
    next(tree.look_for([user], 0.0))
    assert tree.path(user) is None


def steps(walk: Iterator[None]) -> int:
    return len(list(walk))


def test_what_is_known_costs_no_walk(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    user = identity(point / "user.slice")
    assert steps(tree.look_for([user], 0.0))
    assert not steps(tree.look_for([user], 1000.0))


def test_walks_have_seconds_between_them(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    assert steps(tree.look_for([identity(point / "user.slice")], 0.0))
    (point / "new.slice").mkdir()
    new = identity(point / "new.slice")
    assert not steps(tree.look_for([new], FEW_SECONDS - 0.1))
    assert steps(tree.look_for([new], FEW_SECONDS))
    assert tree.path(new) == b"/new.slice"


def test_directory_that_is_gone_is_not_looked_for_for_ever(tmp_path: Path) -> None:
    tree, point = tree_at(tmp_path)
    gone = identity(point / "user.slice") + 1_000_000_007
    assert steps(tree.look_for([gone], 0.0))
    assert not steps(tree.look_for([gone], 1000.0))
    assert steps(tree.look_for([gone, gone + 1], 1000.0))
    assert not steps(tree.look_for([gone, gone + 1], 2000.0))


def test_directory_that_goes_during_the_walk_is_skipped(tmp_path: Path) -> None:
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


def failing(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(Path, "read_bytes", fail)
    monkeypatch.setattr("exporter.kernel.processes.cgroups.os.scandir", fail)


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.ENODEV, errno.EACCES])
def test_directory_that_shows_nothing_is_no_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    tree, _ = tree_at(tmp_path)
    failing(number, monkeypatch)
    assert tree.pids(b"/user.slice") == []
    assert steps(tree.look_for([1], 0.0)) == 1


def test_running_out_of_descriptors_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree, _ = tree_at(tmp_path)
    failing(errno.EMFILE, monkeypatch)
    with pytest.raises(KernelError, match="EMFILE"):
        tree.pids(b"/user.slice")
    with pytest.raises(KernelError, match="EMFILE"):
        list(tree.look_for([1], 0.0))


@pytest.mark.parametrize("mountinfo", [None, "34 31 0:31 / /cg rw - cgroup cgroup rw,memory\n"])
def test_host_without_version_2_says_so(tmp_path: Path, mountinfo: str | None) -> None:
    if mountinfo is not None:
        put(tmp_path, "proc/self/mountinfo", mountinfo)
    tree = CgroupTree(tmp_path)
    assert not tree.available
    assert not steps(tree.look_for([1], 0.0))
    assert (tree.path(1), tree.pids(b"/")) == (None, [])
