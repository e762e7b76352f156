"""Files of processes, read by this process and by the file broker: both return the same in every case."""

from __future__ import annotations

import errno
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

from exporter.broker.access_timer import AccessTimer
from exporter.broker.file_server import FileServer
from exporter.broker.process_files import FileContent, ProcessFile, ProcessFileReader
from exporter.broker.socket_file import BoundSocket, SocketFile, SocketFileState
from exporter.kernel.errors import BrokerUnavailableError, KernelError
from exporter.kernel.processes.file_broker import FileBrokerClient
from exporter.kernel.processes.files import (
    BrokeredProcessFiles,
    DirectProcessFiles,
    HeldSocket,
    ProcessFiles,
    ProcessView,
    UserDatabase,
)
from testbed import privileges
from tests.broker.bound_sockets import Holding, start_ticks


@contextmanager
def file_broker_thread() -> Iterator[FileBrokerClient]:
    """A file broker that answers in a thread of the test, with the capabilities of the test."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    timer = AccessTimer(60)
    server = FileServer(ProcessFileReader(), timer)
    thread = threading.Thread(target=server.serve, args=(theirs,), daemon=True)
    thread.start()
    client = FileBrokerClient(ours)
    try:
        yield client
    finally:
        client.close()
        thread.join()
        theirs.close()
        timer.close()


@pytest.fixture(params=["direct", "brokered"])
def files(request: pytest.FixtureRequest) -> Iterator[ProcessFiles]:
    """Files of processes, read by this process or by the broker."""
    with ExitStack() as stack:
        if request.param == "direct":
            yield DirectProcessFiles()
        else:
            yield BrokeredProcessFiles(stack.enter_context(file_broker_thread()))


@contextmanager
def started(*arguments: str) -> Iterator[tuple[int, int]]:
    """A program that waits, with these arguments: its process, and when that started."""
    program = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", program, *arguments], stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        child.stdout.readline()
        try:
            yield child.pid, start_ticks(child.pid)
        finally:
            child.kill()


def test_the_arguments_of_a_process(files: ProcessFiles) -> None:
    with started("a b", "", "\udcff", "") as process:
        name, option, _, *rest = files.arguments(*process)
    assert (os.fsdecode(name), option) == (sys.executable, b"-c")
    assert rest == [b"a b", b"", b"\xff", b""]


def test_an_argument_that_was_cut_is_left_out(files: ProcessFiles) -> None:
    with started(*["x" * 100_000] * 5) as process:
        arguments = files.arguments(*process)
    assert arguments[3:] == (b"x" * 100_000,) * 2


def test_a_process_that_is_gone_has_no_arguments_no_view_and_no_users(files: ProcessFiles) -> None:
    for pid, ticks in ((os.getpid(), start_ticks("self") + 1), (2**31 - 1, 1)):
        assert files.arguments(pid, ticks) == ()
        assert files.view(pid, ticks) is None
        assert files.uid_map(pid, ticks) == b""
        assert files.passwd(pid, ticks) is None
        found = files.find_sockets([HeldSocket(pid, ticks, BoundSocket(b"/x", 1, 1))])
        assert found == [SocketFile(SocketFileState.UNKNOWN, errno=errno.ESRCH)]


def test_a_thread_of_the_kernel_has_no_arguments(files: ProcessFiles) -> None:
    if not Path("/proc/2/comm").exists() or Path("/proc/2/cmdline").read_bytes():
        pytest.skip("process 2 is none of the kernel")
    assert files.arguments(2, start_ticks(2)) == ()


def test_the_view_and_the_users_of_this_process(files: ProcessFiles) -> None:
    process = os.getpid(), start_ticks("self")
    links = [bytes(Path(f"/proc/self/ns/{name}").readlink()) for name in ("mnt", "user")]
    assert files.view(*process) == ProcessView(b"/", *links)
    assert files.uid_map(*process) == Path("/proc/self/uid_map").read_bytes()
    status = Path("/etc/passwd").stat()
    expected = UserDatabase(Path("/etc/passwd").read_bytes(), status.st_dev, status.st_ino)
    assert files.passwd(*process) == expected


@pytest.mark.netns
def test_where_a_socket_lies(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    with Holding("x.sock") as holder, file_broker_thread() as client:
        for files in (DirectProcessFiles(), BrokeredProcessFiles(client)):
            found = files.find_sockets([holder.held])
            assert found == [SocketFile(SocketFileState.SAME, bytes(tmp_path / "x.sock"))]


@pytest.mark.netns
def test_what_may_not_be_seen_is_empty() -> None:
    pid = os.fork()
    if pid == 0:
        os.read(os.pipe()[0], 1)
    privileges.drop_to()
    files = DirectProcessFiles()
    ticks = start_ticks(pid)
    assert files.view(pid, ticks) is None
    assert files.passwd(pid, ticks) is None
    (found,) = files.find_sockets([HeldSocket(pid, ticks, BoundSocket(b"/x", 1, 1))])
    assert found.state is SocketFileState.UNKNOWN


class Failing(ProcessFileReader):
    """Fails with an errno."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self._number = number

    def read(self, pid: int, started: int, file: ProcessFile) -> FileContent:
        """Fail."""
        raise OSError(self._number, f"{os.strerror(self._number)}: {file} of {pid}, {started}")


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM, errno.EIO])
def test_an_error_that_does_not_tell_of_the_process_is_raised(number: int) -> None:
    files = DirectProcessFiles(Failing(number))
    with pytest.raises(KernelError, match="cannot read CMDLINE of process 10") as failed:
        files.arguments(10, 1)
    assert failed.value.errno == number


def test_a_lost_broker_is_told_by_every_method() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    theirs.close()
    client = FileBrokerClient(ours)
    files = BrokeredProcessFiles(client)
    for call in (files.arguments, files.view, files.uid_map, files.passwd):
        with pytest.raises(BrokerUnavailableError, match="the file broker is gone"):
            call(1, 1)
    (lost,) = files.find_sockets([HeldSocket(1, 1, BoundSocket(b"/x", 1, 1))])
    assert isinstance(lost, BrokerUnavailableError)
    client.close()
