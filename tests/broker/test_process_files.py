"""Files of processes that may hang: of the right process, as it sees them, and no more than is needed."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from exporter.broker.process_files import (
    MAX_ARGUMENTS_BYTES,
    MAX_FILE_BYTES,
    FileContent,
    ProcessFile,
    ProcessFileReader,
)
from testbed import syscalls
from tests.broker.bound_sockets import end_first_thread, start_ticks, until_first_thread_has_ended
from tests.broker.namespaced_process import descriptors

READER = ProcessFileReader()


def read_own(file: ProcessFile) -> FileContent:
    return READER.read(os.getpid(), start_ticks("self"), file)


@contextmanager
def running(prepare: Callable[[], object]) -> Iterator[int]:
    """A process that waits after `prepare`, as long as `with` lasts."""
    receiver, sender = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            syscalls.die_with_parent()
            prepare()
            os.write(sender, b"!")
            while True:
                signal.pause()
        finally:
            os._exit(1)
    os.close(sender)
    assert os.read(receiver, 1) == b"!"
    os.close(receiver)
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


@contextmanager
def leaderless() -> Iterator[int]:
    """A process whose first thread has ended while another one lives, as long as `with` lasts."""
    pid = os.fork()
    if pid == 0:
        syscalls.die_with_parent()
        end_first_thread()
    until_first_thread_has_ended(pid)
    yield pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def read(pid: int, file: ProcessFile) -> FileContent:
    return READER.read(pid, start_ticks(pid), file)


def test_files_and_links_of_this_process() -> None:
    assert read_own(ProcessFile.CMDLINE).content == Path("/proc/self/cmdline").read_bytes()
    assert read_own(ProcessFile.UID_MAP).content == Path("/proc/self/uid_map").read_bytes()
    links = [bytes(Path(f"/proc/self/{name}").readlink()) for name in ("root", "ns/mnt", "ns/user")]
    assert links[0] == b"/"
    assert read_own(ProcessFile.VIEW).content.split(b"\0") == links


def test_a_process_whose_first_thread_has_ended_is_read_by_another() -> None:
    with running(lambda: None) as alive, leaderless() as pid:
        for file in ProcessFile:
            assert read(pid, file) == read(alive, file)


def test_a_process_of_which_no_thread_lives_is_gone() -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    with pytest.raises(ProcessLookupError):
        read(pid, ProcessFile.CMDLINE)
    os.waitpid(pid, 0)


def test_passwd_comes_with_what_tells_it_from_others() -> None:
    status = Path("/etc/passwd").stat()
    expected = FileContent(Path("/etc/passwd").read_bytes(), status.st_dev, status.st_ino)
    assert read_own(ProcessFile.PASSWD) == expected


def test_of_long_arguments_the_beginning_is_read() -> None:
    program = "import time; print(flush=True); time.sleep(60)"
    command = [sys.executable, "-c", program, *(["x" * 100_000] * 5)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        content = read(child.pid, ProcessFile.CMDLINE).content
        child.kill()
    assert len(content) == MAX_ARGUMENTS_BYTES
    assert content.startswith(os.fsencode(sys.executable) + b"\0-c\0")


@pytest.mark.netns
def test_passwd_is_that_below_the_root_of_the_process(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    (tmp_path / "etc/passwd").write_bytes(b"inside:x:1::/:\n")
    with running(lambda: os.chroot(tmp_path)) as pid:
        assert read(pid, ProcessFile.PASSWD).content == b"inside:x:1::/:\n"
        assert read(pid, ProcessFile.VIEW).content.startswith(bytes(tmp_path) + b"\0mnt:[")


@pytest.mark.netns
@pytest.mark.parametrize("target", ["/secret", "../../../../../../../secret", "/proc/1/root/secret"])
def test_a_link_does_not_lead_out_of_the_root(tmp_path: Path, target: str) -> None:
    """A container could have others' files read for it."""
    (tmp_path / "etc").mkdir()
    (tmp_path / "secret").write_bytes(b"its own")
    (tmp_path / "etc/passwd").symlink_to(target)

    def enter() -> None:
        (tmp_path / "proc").mkdir()
        os.chroot(tmp_path)
        syscalls.mount_proc()

    with running(enter) as pid:
        if target.startswith("/proc"):
            with pytest.raises(OSError, match="symbolic links") as failed:
                read(pid, ProcessFile.PASSWD)
            assert failed.value.errno == errno.ELOOP
        else:
            assert read(pid, ProcessFile.PASSWD).content == b"its own"


@pytest.mark.netns
def test_what_is_no_usable_file_is_not_read(tmp_path: Path) -> None:
    """A named pipe would block, and a file without an end fill the memory."""
    (tmp_path / "etc").mkdir()
    path = tmp_path / "etc/passwd"

    def large() -> None:
        with path.open("wb") as file:
            file.truncate(MAX_FILE_BYTES + 1)

    cases: list[tuple[Callable[[], object], int]] = [
        (lambda: None, errno.ENOENT),
        (lambda: os.mkfifo(path), errno.EINVAL),
        (path.mkdir, errno.EINVAL),
        (lambda: os.mknod(path, 0o20666, os.makedev(1, 5)), errno.EINVAL),
        (large, errno.EFBIG),
    ]
    with running(lambda: os.chroot(tmp_path)) as pid:
        for make, number in cases:
            make()
            before = descriptors()
            with pytest.raises(OSError, match=os.strerror(number)) as failed:
                read(pid, ProcessFile.PASSWD)
            assert failed.value.errno == number
            assert descriptors() == before
            if path.is_dir():
                path.rmdir()
            else:
                path.unlink(missing_ok=True)
        with path.open("wb") as file:
            file.truncate(MAX_FILE_BYTES)
        assert len(read(pid, ProcessFile.PASSWD).content) == MAX_FILE_BYTES


@pytest.mark.parametrize("file", ProcessFile)
def test_nothing_is_read_of_a_process_that_started_at_another_time(file: ProcessFile) -> None:
    for pid, started in ((os.getpid(), start_ticks("self") + 1), (2**31 - 1, 1)):
        with pytest.raises(ProcessLookupError):
            READER.read(pid, started, file)
