"""A path is resolved as the kernel would resolve it, below a root that nothing leads out of."""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.broker.rooted_path import Resolve, open_path
from testbed import syscalls
from testbed.repeated import repeated
from testbed.waiting import until
from tests.broker.namespaced_process import descriptors

# RESOLVE_NO_MAGICLINKS, NO_SYMLINKS, BENEATH and IN_ROOT (include/uapi/linux/openat2.h).
KERNEL = {Resolve.IN_ROOT: 0x02 | 0x10, Resolve.BENEATH: 0x02 | 0x08, Resolve.NO_SYMLINKS: 0x02 | 0x04 | 0x10}
LINKS = {
    "to_file": "a/file",
    "to_directory": "a/b",
    "absolute": "/a/b",
    "up": "../../..",
    "a/up": "..",
    "a/b/outside": "../../../secret",
    "a/slash": "b/",
    "a/file_slash": "file/",
    "chain": "a/up/absolute/outside",
    "loop": "loop",
    "a/b/loop": "../b/loop/x",
    "nowhere": "missing",
}
NAMES = ["a", "b", "file", "missing", "secret", "..", ".", "", "outside", "up", "slash", "file_slash", *LINKS]


def by_kernel(directory: int, path: bytes, flags: int, resolve: Resolve) -> int:
    how = struct.pack("=QQQ", flags | os.O_CLOEXEC, 0, KERNEL[resolve])
    arguments = (*map(ctypes.c_long, (437, directory)), path, how, ctypes.c_size_t(len(how)))
    while True:
        # While anything on the machine is renamed or mounted, `..` fails with EAGAIN.
        with suppress(BlockingIOError):
            return syscalls.call("syscall", *arguments)


def outcome(opened: int) -> tuple[int, int]:
    try:
        status = os.fstat(opened)
        return status.st_dev, status.st_ino
    finally:
        os.close(opened)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> int:
    """An open directory, beside which there is a secret."""
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret").touch()
    folder = outside / "root"
    (folder / "a/b").mkdir(parents=True)
    (folder / "a/file").touch()
    for name, target in LINKS.items():
        (folder / name).symlink_to(target)
    return os.open(folder, os.O_PATH)


@given(
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=5).map("/".join),
    st.sampled_from(Resolve),
    st.sampled_from([os.O_PATH, os.O_PATH | os.O_DIRECTORY, os.O_RDONLY | os.O_NONBLOCK]),
)
@settings(max_examples=500)
def test_the_outcome_is_that_of_openat2(root: int, path: str, resolve: Resolve, flags: int) -> None:
    def tried(way: object) -> object:
        assert callable(way)
        try:
            return outcome(way(root, os.fsencode(path), flags, resolve))
        except OSError as error:
            return error.errno

    expected = tried(by_kernel)
    if expected in {errno.ENOSYS, errno.EPERM}:
        pytest.skip("no openat2")
    assert tried(open_path) == expected


def test_every_link_of_procfs_is_refused() -> None:
    slash = os.open("/", os.O_PATH)
    for path in (b"proc/self/%s/etc" % b"root", b"/proc/%d/cwd/x" % os.getpid(), b"proc/self/exe"):
        before = descriptors()
        with pytest.raises(OSError, match="symbolic links") as failed:
            open_path(slash, path, os.O_PATH, Resolve.IN_ROOT)
        assert failed.value.errno == errno.ELOOP
        assert descriptors() == before
    os.close(open_path(slash, b"proc/%d/stat" % os.getpid(), os.O_RDONLY, Resolve.IN_ROOT))
    os.close(slash)


def test_a_path_of_very_many_components_is_refused(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_PATH)
    with pytest.raises(OSError, match="symbolic links"):
        open_path(directory, b"./" * 300, os.O_PATH, Resolve.BENEATH)


def test_a_directory_that_is_moved_out_of_the_root_leads_nobody_out(tmp_path: Path) -> None:
    """The kernel would take `..` as what is beside the directory by then, where it is asked for it."""
    (tmp_path / "root/a/b").mkdir(parents=True)
    (tmp_path / "root/file").touch()
    (tmp_path / "file").touch()
    directory = os.open(tmp_path / "root", os.O_PATH)
    inside, outside = tmp_path / "root/a", tmp_path / "moved"

    def move() -> None:
        inside.rename(outside)
        outside.rename(inside)

    found = set()

    def look() -> bool:
        with suppress(FileNotFoundError):
            found.add(outcome(open_path(directory, b"a/b/../../file", os.O_PATH, Resolve.IN_ROOT))[1])
        return bool(found)

    with repeated(move):
        # The other thread may be stopped for long while the directory is outside.
        until(look, bool)
        for _ in range(3000):
            look()
    assert found == {(tmp_path / "root/file").stat().st_ino}
