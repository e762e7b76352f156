"""Where the file of a socket lies, as seen from the process that holds the socket."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import socket
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from exporter.broker.process_files import ProcessFileReader
from exporter.broker.socket_file import (
    MAX_ENTRIES,
    BoundSocket,
    HeldSocket,
    SocketFile,
    SocketFileState,
    find_socket,
)
from testbed import privileges, syscalls
from tests.broker.bound_sockets import Holder, Holding, start_ticks
from tests.broker.test_process_files import running

pytestmark = pytest.mark.netns

READER = ProcessFileReader()
SAME, RENAMED, STALE, UNKNOWN = SocketFileState


def found(holder: Holder, path: bytes | None = None) -> SocketFile:
    bound = holder.bound
    if path is not None:
        bound = BoundSocket(path, bound.device, bound.inode)
    return find_socket(READER, HeldSocket(holder.pid, holder.started, bound))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A directory whose path fits into the address of a socket."""
    # pytest's own are too long for that.
    os.chdir(tmp_path)
    return tmp_path


def bind_beside(path: Path) -> socket.socket:
    listening = socket.socket(socket.AF_UNIX)
    listening.bind(str(path))
    listening.listen()
    return listening


def test_an_absolute_path_leads_to_its_file(folder: Path) -> None:
    with Holding(f"{folder}/x.sock") as holder:
        assert found(holder) == SocketFile(SAME, bytes(folder / "x.sock"))


@pytest.mark.parametrize(
    ("name", "absolute"),
    [("x.sock", "a/x.sock"), ("./b/../x.sock", "a/x.sock"), ("../x.sock", "x.sock"), ("b/x", "a/b/x")],
)
def test_a_relative_path_is_that_from_the_working_directory(folder: Path, name: str, absolute: str) -> None:
    (folder / "a/b").mkdir(parents=True)
    with Holding(name, lambda: os.chdir("a")) as holder:
        assert found(holder) == SocketFile(SAME, bytes(folder / absolute))


def test_a_directory_that_has_the_name_of_a_removed_one_is_shown_by_it(folder: Path) -> None:
    named = folder / "x (deleted)"
    named.mkdir()
    opened = os.open(named, os.O_PATH)
    for name in ("x.sock", f"/proc/self/fd/{opened}/y.sock"):
        with Holding(name, partial(os.chdir, named)) as holder:
            assert found(holder) == SocketFile(SAME, bytes(named / Path(name).name))


def test_a_directory_that_was_removed_is_shown_by_the_name_that_it_had(folder: Path) -> None:
    """Of what was in it before, such as a link to a directory, nothing is left."""
    (folder / "a/b").mkdir(parents=True)
    with Holding("../../x.sock", partial(os.chdir, "a/b"), partial(shutil.rmtree, folder / "a")) as holder:
        assert found(holder) == SocketFile(SAME, bytes(folder / "x.sock"))


def test_a_relative_path_through_a_link_to_elsewhere(folder: Path) -> None:
    (folder / "real").mkdir()
    (folder / "a").mkdir()
    (folder / "a/link").symlink_to(folder / "real")
    with Holding("link/x.sock", lambda: os.chdir("a")) as holder:
        assert found(holder) == SocketFile(SAME, bytes(folder / "a/link/x.sock"))


def test_the_path_of_a_process_whose_root_is_another_directory_is_seen_from_there(folder: Path) -> None:
    (folder / "jail/run").mkdir(parents=True)
    (folder / "jail/etc").mkdir()
    (folder / "jail/absolute").symlink_to("/run")

    def enter() -> None:
        os.chroot("jail")
        os.chdir("/etc")

    for name, path in (
        ("/run/x.sock", b"/run/x.sock"),
        ("/absolute/y.sock", b"/absolute/y.sock"),
        ("z.sock", b"/etc/z.sock"),
        ("../../../run/w.sock", b"/run/w.sock"),
    ):
        with Holding(name, enter) as holder:
            assert found(holder) == SocketFile(SAME, path)


def test_a_working_directory_outside_of_the_root_has_no_path_there(folder: Path) -> None:
    (folder / "jail").mkdir()
    with Holding("x.sock", lambda: os.chroot("jail")) as holder:
        assert found(holder) == SocketFile(SAME)


def enter_jail() -> None:
    os.chroot("jail")
    os.chdir("/")


def test_a_process_that_got_another_root_later_has_the_path_that_it_bound(folder: Path) -> None:
    """Its clients have the root that it had, as those of HAProxy and ntpd."""
    (folder / "jail").mkdir()
    with Holding(f"{folder}/x.sock", afterwards=enter_jail) as holder:
        assert found(holder) == SocketFile(SAME, bytes(folder / "x.sock"))
        (folder / "x.sock").rename(folder / "y.sock")
        assert found(holder) == SocketFile(RENAMED, bytes(folder / "y.sock"))
        (folder / "y.sock").unlink()
        assert found(holder) == SocketFile(STALE, bytes(folder / "x.sock"))


def own_mounts() -> None:
    syscalls.unshare(syscalls.CLONE_NEWNS)
    syscalls.keep_mounts_private()


def cover(folder: Path) -> None:
    """Get mounts of its own, with an empty file system over a directory."""
    own_mounts()
    syscalls.mount_empty(str(folder))


def test_a_process_that_got_mounts_of_its_own_later_has_the_path_that_it_bound(folder: Path) -> None:
    """As daemons that confine themselves, and services of systemd with PrivateTmp=. Clients do not."""
    (folder / "run").mkdir()

    def leave() -> None:
        cover(folder / "run")
        os.chroot(folder / "run")
        os.chdir("/")

    for afterwards in (partial(cover, folder / "run"), leave):
        with Holding(f"{folder}/run/x.sock", afterwards=afterwards) as holder:
            assert found(holder) == SocketFile(SAME, bytes(folder / "run/x.sock"))
            (folder / "run/x.sock").rename(folder / "run/y.sock")
            assert found(holder) == SocketFile(RENAMED, bytes(folder / "run/y.sock"))
            (folder / "run/y.sock").unlink()
            assert found(holder) == SocketFile(STALE, bytes(folder / "run/x.sock"))


def test_a_path_that_the_process_does_not_see_is_looked_for_where_process_1_does(folder: Path) -> None:
    """Of its ancestors one may have ended meanwhile, and the farthest are not looked at."""
    (folder / "run").mkdir()
    with Holding(f"{folder}/run/x.sock") as holder, running(partial(cover, folder / "run")) as other:
        for pid, parent, real in ((10, 9, other), (9, 8, other), (1, 0, holder.pid)):
            shown = folder / f"proc/{pid}"
            shown.mkdir(parents=True)
            (shown / "stat").write_text(f"{pid} (a) S {parent} " + "7 " * 30)
            for name in ("root", "ns"):
                (shown / name).symlink_to(f"/proc/{real}/{name}")
        reader = ProcessFileReader(f"{folder}/proc")
        assert find_socket(reader, HeldSocket(10, 7, holder.bound)).state is SAME
        (folder / "proc/1/root").unlink()
        assert find_socket(reader, HeldSocket(10, 7, holder.bound)).state is UNKNOWN


def test_a_path_that_nobody_is_known_to_see_is_not_stale(folder: Path) -> None:
    """It was bound before something was mounted there, in a mount namespace that is not known."""
    (folder / "run").mkdir()

    def bind_below() -> None:
        own_mounts()
        syscalls.mount_empty(str(folder / "run"))

    with Holding(f"{folder}/run/x.sock", bind_below) as holder, running(own_mounts) as other:
        here = HeldSocket(other, start_ticks(other), holder.bound)
        assert find_socket(READER, here) == SocketFile(UNKNOWN, errno=errno.ENOENT)


def test_a_relative_path_of_which_the_directory_is_not_known_tells_nothing(folder: Path) -> None:
    """Its process, or the one that it was inherited from, may have been anywhere; clients reach it there."""
    (folder / "bound").mkdir()
    (folder / "elsewhere").mkdir()
    path = folder / "bound/x.sock"

    def enter_one_with_such_a_file() -> None:
        os.chdir(folder / "elsewhere")
        bind_beside(Path("x.sock")).detach()

    for afterwards in (
        partial(os.chdir, "/"),
        partial(os.chdir, "/usr"),
        partial(os.chdir, folder / "elsewhere"),
        enter_one_with_such_a_file,
        enter_jail_elsewhere,
        path.unlink,
        partial(shutil.rmtree, path.parent),
    ):
        path.parent.mkdir(exist_ok=True)
        with Holding("x.sock", partial(os.chdir, "bound"), afterwards) as holder:
            assert found(holder) == SocketFile(UNKNOWN, errno=errno.ENOENT), afterwards
        path.unlink(missing_ok=True)


def enter_jail_elsewhere() -> None:
    os.chroot("../elsewhere")
    os.chdir("/")


def test_a_relative_path_is_found_in_the_directory_of_an_ancestor(folder: Path) -> None:
    with Holding("x.sock", afterwards=lambda: os.chdir("/usr")) as holder:
        assert found(holder) == SocketFile(SAME, bytes(folder / "x.sock"))
        (folder / "x.sock").rename("y.sock")
        assert found(holder) == SocketFile(RENAMED, bytes(folder / "y.sock"))


def test_the_path_of_a_process_whose_first_thread_has_ended_is_resolved_by_another(folder: Path) -> None:
    (folder / "a").mkdir()
    opened = os.open(folder, os.O_PATH)
    for name, path in (
        ("x.sock", "a/x.sock"),
        (f"{folder}/y.sock", "y.sock"),
        (f"/proc/self/fd/{opened}/z.sock", "z.sock"),
    ):
        with Holding(name, partial(os.chdir, "a"), leaderless=True) as holder:
            assert found(holder) == SocketFile(SAME, bytes(folder / path))
            by_number = found(holder, b"/proc/%d/root%s/%s" % (holder.pid, bytes(folder), path.encode()))
            assert by_number == SocketFile(SAME, bytes(folder / path))


def test_an_ancestor_whose_first_thread_has_ended_has_its_root(folder: Path) -> None:
    (folder / "run").mkdir()

    def fork() -> None:
        receiver, sender = os.pipe()
        if os.fork() == 0:
            cover(folder / "run")
            os.write(sender, b"%d" % os.getpid())
            while True:
                signal.pause()
        Path("child").write_bytes(os.read(receiver, 20))

    with Holding(f"{folder}/run/x.sock", partial(cover, folder / "run"), fork, leaderless=True) as holder:
        pid = int(Path("child").read_text())
        held = HeldSocket(pid, start_ticks(pid), holder.bound)
        assert find_socket(READER, held) == SocketFile(SAME, bytes(folder / "run/x.sock"))


def test_the_path_of_a_process_in_another_mount_namespace(folder: Path) -> None:
    """What is mounted there is not what lies there here."""
    (folder / "run").mkdir()

    def mount() -> None:
        syscalls.unshare(syscalls.CLONE_NEWNS)
        syscalls.keep_mounts_private()
        syscalls.mount_empty(str(folder / "run"))

    with Holding(f"{folder}/run/x.sock", mount) as holder, bind_beside(folder / "run/x.sock"):
        assert found(holder) == SocketFile(SAME, bytes(folder / "run/x.sock"))
        here = BoundSocket(bytes(folder / "run/x.sock"), holder.bound.device, holder.bound.inode)
        assert find_socket(READER, HeldSocket(os.getpid(), start_ticks("self"), here)).state is STALE


@pytest.mark.parametrize("form", ["/proc/self/fd/{}/x", "/dev/fd/{}/x", "/proc//thread-self/fd/{}/x"])
def test_a_path_by_a_descriptor_is_that_of_the_descriptor(folder: Path, form: str) -> None:
    """As conmon binds its sockets, whose paths would be too long otherwise."""
    if not Path("/dev/fd").is_symlink():
        pytest.skip("no /dev/fd")
    (folder / "long/path").mkdir(parents=True)
    opened = os.open("long/path", os.O_PATH)
    with Holding(form.format(opened)) as holder:
        assert found(holder) == SocketFile(SAME, bytes(folder / "long/path/x"))
        assert found(holder, b"/proc/self/cwd/long/path/x").state is SAME
        assert found(holder, b"/proc/self/root" + bytes(folder / "long/path/x")).state is SAME


def test_a_path_by_the_number_of_a_process_is_its_own_where_that_is_its_number(folder: Path) -> None:
    opened = os.open(folder, os.O_PATH)
    with Holding(lambda: f"/proc/{os.getpid()}/fd/{opened}/x") as holder:
        assert found(holder) == SocketFile(SAME, bytes(folder / "x"))
        assert found(holder, b"/proc/%d/cwd/x" % holder.pid) == SocketFile(SAME, bytes(folder / "x"))
        of_another = found(holder, b"/proc/%d/fd/%d/x" % (os.getpid(), opened))
        assert (of_another.state, of_another.errno) == (UNKNOWN, errno.ELOOP)


def test_a_descriptor_that_is_something_else_by_now_tells_nothing(folder: Path) -> None:
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    first, second, file = os.open("a", os.O_PATH), os.open("b", os.O_PATH), os.open("/dev/null", os.O_RDONLY)
    with Holding(f"/proc/self/fd/{first}/x.sock") as holder:
        for number in (second, file, 999):
            answer = found(holder, b"/proc/self/fd/%d/x.sock" % number)
            assert (answer.state, answer.path) == (UNKNOWN, b"")


def test_a_socket_that_was_renamed_has_its_new_name(folder: Path) -> None:
    """As HAProxy does it, which binds x.sock.1234.tmp and renames it to x.sock."""
    for name, other in ((f"{folder}/x.sock.1.tmp", b"x.sock"), ("y.sock.1.tmp", b"y.sock")):
        with Holding(name) as holder:
            Path(name).rename(os.fsdecode(other))
            assert found(holder) == SocketFile(RENAMED, bytes(folder) + b"/" + other)


def test_a_socket_whose_name_another_has_taken_has_its_new_name(folder: Path) -> None:
    with Holding(f"{folder}/x.sock") as holder:
        (folder / "x.sock").rename(folder / "x.sock.old")
        with bind_beside(folder / "x.sock"):
            assert found(holder) == SocketFile(RENAMED, bytes(folder / "x.sock.old"))


def test_a_path_that_leads_to_nothing_or_to_something_else_is_stale(folder: Path) -> None:
    path = folder / "x.sock"

    def replace_by_link() -> None:
        path.symlink_to("/dev/null")

    replacements: list[Callable[[], object]] = [
        lambda: None,
        path.touch,
        lambda: bind_beside(path),
        path.mkdir,
        replace_by_link,
    ]
    for replace in replacements:
        with Holding(str(path)) as holder:
            path.unlink()
            kept = replace()
            assert found(holder) == SocketFile(STALE, bytes(path)), kept
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)


def test_a_path_whose_directory_is_gone_is_stale(folder: Path) -> None:
    (folder / "a").mkdir()
    with Holding(f"{folder}/a/x.sock") as holder:
        (folder / "a/x.sock").unlink()
        (folder / "a").rmdir()
        assert found(holder) == SocketFile(STALE, bytes(folder / "a/x.sock"))
        (folder / "a").touch()
        assert found(holder) == SocketFile(STALE, bytes(folder / "a/x.sock"))


def test_a_link_in_place_of_the_path_may_lead_to_the_file(folder: Path) -> None:
    (folder / "elsewhere").mkdir()
    with Holding(f"{folder}/x.sock") as holder:
        (folder / "x.sock").rename(folder / "elsewhere/moved")
        (folder / "x.sock").symlink_to("elsewhere/moved")
        assert found(holder) == SocketFile(SAME, bytes(folder / "x.sock"))


def test_a_file_of_another_file_system_with_the_same_inode_is_another(folder: Path) -> None:
    """On tmpfs inodes are small numbers, the same in each."""
    for name in ("a", "b"):
        (folder / name).mkdir()
        syscalls.mount_empty(str(folder / name))
    with Holding(f"{folder}/a/x.sock") as holder, bind_beside(folder / "b/x.sock"):
        assert (folder / "b/x.sock").stat().st_ino == holder.bound.inode
        assert found(holder, bytes(folder / "b/x.sock")).state is STALE


def test_on_overlayfs_stat_tells_another_device_than_the_kernel(folder: Path) -> None:
    """A container without volumes has nothing else."""
    for name in ("lower", "upper", "merged"):
        (folder / name).mkdir()
        if name != "merged":
            syscalls.mount_empty(str(folder / name))
    for name in ("lower/run", "upper/upper", "upper/work"):
        (folder / name).mkdir()
    options = f"lowerdir={folder}/lower,upperdir={folder}/upper/upper,workdir={folder}/upper/work"
    try:
        target = os.fsencode(folder / "merged")
        syscalls.call("mount", b"overlay", target, b"overlay", ctypes.c_ulong(0), options.encode())
    except OSError as refused:
        pytest.skip(f"cannot mount overlayfs: {refused}")
    for name in ("merged/x.sock", "merged/run/x.sock"):
        with Holding(f"{folder}/{name}") as holder:
            assert (folder / name).stat().st_dev != holder.bound.device
            assert found(holder) == SocketFile(SAME, bytes(folder / name))
            (folder / name).rename(folder / f"{name}.new")
            assert found(holder) == SocketFile(RENAMED, bytes(folder / f"{name}.new"))


def test_of_an_inode_the_low_32_bits_count(folder: Path) -> None:
    """The kernel tells no more, and file systems have larger numbers."""
    with Holding(f"{folder}/x.sock") as holder:
        bound = holder.bound
        for high in (0, 7):
            large = BoundSocket(bound.path, bound.device, bound.inode | high << 32)
            assert find_socket(READER, HeldSocket(holder.pid, holder.started, large)).state is SAME
        other = BoundSocket(bound.path, bound.device, bound.inode ^ 1)
        assert find_socket(READER, HeldSocket(holder.pid, holder.started, other)).state is STALE


def test_in_a_large_directory_the_other_name_may_not_be_found(folder: Path) -> None:
    (folder / "many").mkdir()
    for index in range(MAX_ENTRIES + 100):
        (folder / f"many/{index}").touch()
    with Holding(f"{folder}/many/x.sock") as holder:
        (folder / "many/x.sock").rename(folder / "many/y.sock")
        answer = found(holder)
        names = [entry.name for entry in os.scandir(folder / "many")]
        within = names.index("y.sock") < MAX_ENTRIES
        assert answer == (
            SocketFile(RENAMED, bytes(folder / "many/y.sock"))
            if within
            else SocketFile(STALE, bytes(folder / "many/x.sock"))
        )


def test_a_loop_of_links_cannot_be_looked_at(folder: Path) -> None:
    (folder / "a").mkdir()
    with Holding(f"{folder}/a/x.sock") as holder:
        (folder / "a").rename(folder / "b")
        (folder / "a").symlink_to("a")
        assert found(holder) == SocketFile(UNKNOWN, bytes(folder / "a/x.sock"), errno.ELOOP)


def test_a_process_that_started_at_another_time_is_not_looked_at(folder: Path) -> None:
    with Holding(f"{folder}/x.sock") as holder:
        for pid, started in ((holder.pid, holder.started + 1), (2**31 - 1, 1)):
            answer = find_socket(READER, HeldSocket(pid, started, holder.bound))
            assert answer == SocketFile(UNKNOWN, errno=errno.ESRCH)


@pytest.mark.parametrize("path", [b"", b"\0abstract", b"/a\0b"])
def test_a_name_that_is_no_path_has_no_file(path: bytes) -> None:
    answer = find_socket(READER, HeldSocket(os.getpid(), 1, BoundSocket(path, 1, 1)))
    assert answer == SocketFile(UNKNOWN, errno=errno.EINVAL)


def test_a_process_of_another_user_cannot_be_looked_at_without_capabilities(folder: Path) -> None:
    with Holding(f"{folder}/x.sock") as holder:
        privileges.drop_to()
        answer = found(holder)
        assert (answer.state, answer.errno) == (UNKNOWN, errno.EACCES)


def test_a_directory_that_may_not_be_read_is_not_searched() -> None:
    # Not below pytest's directory, which pytest keeps from other users.
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        folder.chmod(0o777)
        with Holding(f"{folder}/x.sock", privileges.drop_to) as holder:
            folder.chmod(0o711)
            (folder / "x.sock").rename(folder / "y.sock")
            assert found(holder).state is RENAMED
            pid = os.fork()
            if pid == 0:
                privileges.drop_to()
                os._exit(found(holder).state)
            assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == STALE
