"""The file broker: what it answers, and that one which hangs is replaced, whether it can be killed or not."""

from __future__ import annotations

import errno
import os
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest

from exporter.broker import file_wire, supervisor
from exporter.broker.access_timer import AccessTimer
from exporter.broker.capabilities import Capability
from exporter.broker.confinement import Confinement
from exporter.broker.file_server import ACCESS_SECONDS, CAPABILITIES, SOCKETS_SECONDS, FileServer
from exporter.broker.file_wire import MAX_CONTENT_BYTES, MAX_SOCKETS, FileRequest
from exporter.broker.process_files import ProcessFile, ProcessFileReader
from exporter.broker.process_name import FILE_BROKER
from exporter.broker.socket_file import BoundSocket, HeldSocket, SocketFile, SocketFileState
from exporter.broker.supervised import MAX_STUCK
from exporter.broker.supervisor import StartedBrokers
from exporter.broker.wire import MAX_MESSAGE_BYTES
from exporter.kernel.errors import AccessHungError, BrokerUnavailableError, KernelError
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.processes.file_broker import FileBrokerClient
from testbed import figures
from testbed.hanging_files import HangingFiles
from testbed.waiting import until
from tests.broker.bound_sockets import Holding, start_ticks
from tests.broker.broker_processes import state, status, supervisor_of, wait_for_child
from tests.broker.namespaced_process import NamespacedProcess, descriptors
from tests.broker.test_process_files import running

pytestmark = pytest.mark.netns


@contextmanager
def file_broker() -> Iterator[FileBrokerClient]:
    """Start both brokers, and end them."""
    started = supervisor.start(Confinement())
    client = FileBrokerClient(started.file_channel)
    try:
        yield client
    finally:
        client.close()
        started.channel.close()
        os.waitpid(started.supervisor, 0)


def find(client: FileBrokerClient, held: HeldSocket) -> SocketFile:
    """Look for one socket; an error is raised."""
    (found,) = client.find_sockets([held])
    if isinstance(found, KernelError):
        raise found
    return found


def wait_for_another(supervising: int, first: int) -> None:
    """Return when a supervisor runs another file broker than the first one."""
    until(lambda: wait_for_child(supervising, FILE_BROKER), lambda pids: first not in pids)


def test_files_and_sockets_of_a_process_of_another_user(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    with file_broker() as client, NamespacedProcess(81, user=4711) as process, Holding("x.sock") as holder:
        arguments = client.read(process.pid, process.started(), ProcessFile.CMDLINE).content
        assert arguments == Path(f"/proc/{process.pid}/cmdline").read_bytes()
        passwd = client.read(process.pid, process.started(), ProcessFile.PASSWD)
        assert passwd.content == Path("/etc/passwd").read_bytes()
        found = find(client, holder.held)
        assert (found.state, found.path) == (SocketFileState.SAME, bytes(tmp_path / "x.sock"))
        with pytest.raises(ProcessLookupError):
            client.read(process.pid, process.started() + 1, ProcessFile.CMDLINE)
        assert client.ended == 0
        assert client.seconds() > 0


def test_a_file_of_many_replies_is_whole(tmp_path: Path) -> None:
    (tmp_path / "etc").mkdir()
    content = b"".join(b"user%d:x:%d::/:\n" % (number, number) for number in range(40_000))
    (tmp_path / "etc/passwd").write_bytes(content)
    with file_broker() as client, running(lambda: os.chroot(tmp_path)) as pid:
        for _ in range(3):
            found = client.read(pid, start_ticks(pid), ProcessFile.PASSWD)
            assert found.content == content
            assert found.inode == (tmp_path / "etc/passwd").stat().st_ino


def test_it_has_the_rights_to_look_at_processes_and_none_to_enter_namespaces() -> None:
    with file_broker() as client:
        client.read(os.getpid(), start_ticks("self"), ProcessFile.VIEW)
        (pid,) = wait_for_child(supervisor_of(os.getpid()), FILE_BROKER)
        found = status(pid)
        expected = sum(1 << capability for capability in CAPABILITIES)
        assert int(found["CapEff"], 16) == int(found["CapPrm"], 16) == expected
        assert Capability.SYS_ADMIN not in CAPABILITIES
        assert found["NoNewPrivs"] == "1"


def test_nothing_stays_open_after_many_requests(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    with file_broker() as client, Holding("x.sock") as holder:
        gone = BoundSocket(b"/nowhere/x.sock", 1, 1)

        def ask() -> None:
            find(client, holder.held)
            find(client, holder.held._replace(bound=gone))
            find(client, HeldSocket(holder.pid, holder.started + 1, gone))
            client.read(holder.pid, holder.started, ProcessFile.PASSWD)

        ask()
        (pid,) = wait_for_child(supervisor_of(os.getpid()), FILE_BROKER)
        before = descriptors(), descriptors(pid)
        for _ in range(250):
            ask()
        assert (descriptors(), descriptors(pid)) == before


def test_messages_that_are_no_requests_are_not_answered() -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server = FileServer(ProcessFileReader(), AccessTimer(ACCESS_SECONDS))
    thread = threading.Thread(target=server.serve, args=(theirs,), daemon=True)
    thread.start()
    for message in (b"x", b"x" * 30, bytes(60_000)):
        ours.send(message)
    client = FileBrokerClient(ours)
    assert client.read(os.getpid(), start_ticks("self"), ProcessFile.VIEW).content.startswith(b"/\0")
    client.close()
    thread.join()


def test_many_sockets_of_several_processes_are_found_by_one_request(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    with file_broker() as client, ExitStack() as stack:
        holders = [stack.enter_context(Holding(f"{tmp_path}/{number}.sock")) for number in range(3)]
        gone = holders[0].held._replace(started=1)
        (tmp_path / "1.sock").unlink()
        wanted = [holder.held for holder in holders for _ in range(20)] + [gone]
        found = client.find_sockets(wanted)
        states = [SocketFileState.SAME, SocketFileState.STALE, SocketFileState.SAME]
        paths = [bytes(tmp_path / f"{number}.sock") for number in range(3)]
        expected = [SocketFile(*each) for each in zip(states, paths, strict=True) for _ in range(20)]
        assert found == [*expected, SocketFile(SocketFileState.UNKNOWN, errno=errno.ESRCH)]


def test_a_socket_that_hangs_takes_no_answer_from_processes_before_and_after(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    with (
        file_broker() as client,
        Holding("x.sock") as first,
        Holding("y.sock") as second,
        Holding("z.sock") as third,
        HangingFiles(tmp_path / "hanging", killable=True),
    ):
        hanging = second.held._replace(bound=BoundSocket(bytes(tmp_path / "hanging/y.sock"), 1, 1))
        wanted = [first.held, first.held, hanging, second.held, third.held]
        *before, hung, with_it = client.find_sockets(wanted)
        assert before == [SocketFile(SocketFileState.SAME, bytes(tmp_path / "x.sock"))] * 2
        assert isinstance(hung, AccessHungError)
        assert isinstance(with_it, AccessHungError)
        assert find(client, third.held).state is SocketFileState.SAME
        assert find(client, second.held).state is SocketFileState.SAME


class Slow(ProcessFileReader):
    """Takes some time to open a process."""

    @contextmanager
    def process(self, pid: int, started: int) -> Iterator[int]:
        time.sleep(SOCKETS_SECONDS / 2.5)
        with super().process(pid, started) as directory:
            yield directory


def test_where_each_socket_takes_long_the_first_are_answered(tmp_path: Path) -> None:
    """Who asks waits for some seconds at most, and is to see that nothing hangs."""
    os.chdir(tmp_path)
    server = FileServer(Slow(), AccessTimer(ACCESS_SECONDS))
    with Holding("x.sock") as holder:
        sockets = (holder.held, HeldSocket(1, 1, holder.bound)) * 10
        replies = list(server.answer(file_wire.pack_request(FileRequest(1, 0, 0, sockets))))
    assert [reply.more for reply in replies] == [True, True, False]
    assert sum(len(reply.found) for reply in replies if isinstance(reply.found, tuple)) == len(replies)


def test_where_the_paths_do_not_fit_into_a_message_the_first_are_answered(tmp_path: Path) -> None:
    """A process may be in a directory whose path is as long as the kernel allows."""
    folder = tmp_path
    while len(bytes(folder)) < 3000:
        folder /= "x" * 200
    folder.mkdir(parents=True)
    os.chdir(folder)
    server = FileServer(ProcessFileReader(), AccessTimer(ACCESS_SECONDS))
    with Holding("x.sock") as holder:
        request = FileRequest(1, 0, 0, (holder.held,) * MAX_SOCKETS)
        (reply,) = server.answer(file_wire.pack_request(request))
    assert isinstance(reply.found, tuple)
    assert 1 < len(reply.found) < MAX_SOCKETS
    assert not reply.more
    assert MAX_CONTENT_BYTES < len(file_wire.pack_reply(reply)) < MAX_MESSAGE_BYTES
    assert file_wire.unpack_reply(file_wire.pack_reply(reply)) == reply


@pytest.mark.parametrize("killable", [True, False])
@pytest.mark.fault(
    "a file system that never answers the file broker, which SIGKILL ends or does not",
    "another takes its place after two seconds",
)
def test_a_broker_that_hangs_is_replaced(tmp_path: Path, killable: bool) -> None:  # noqa: FBT001
    """While a FUSE server has taken a request, not even SIGKILL ends who waits for it."""
    os.chdir(tmp_path)
    with (
        file_broker() as client,
        Holding("x.sock") as holder,
        HangingFiles(tmp_path / "hanging", killable=killable),
    ):
        supervising = supervisor_of(os.getpid())
        (first,) = wait_for_child(supervising, FILE_BROKER)
        hanging = BoundSocket(bytes(tmp_path / "hanging/x.sock"), holder.bound.device, holder.bound.inode)
        began = time.monotonic()
        with pytest.raises(AccessHungError, match="cannot look for") as failed:
            find(client, holder.held._replace(bound=hanging))
        assert ACCESS_SECONDS - 0.1 < time.monotonic() - began < ACCESS_SECONDS + 2
        assert failed.value.reason == "hung"
        found = find(client, holder.held)
        assert found.state is SocketFileState.SAME
        assert (client.ended, client.hung) == (1, 1)
        assert state(first) == ("" if killable else "D")


@pytest.mark.fault(
    "the same again and again",
    "no more than a few of them hang at a time, and they end once the file system answers",
)
def test_brokers_that_cannot_be_killed_are_no_more_than_a_few_and_end_with_the_server(tmp_path: Path) -> None:
    os.chdir(tmp_path)
    with file_broker() as client, Holding("x.sock") as holder:
        supervising = supervisor_of(os.getpid())
        hanging = BoundSocket(bytes(tmp_path / "hanging/x.sock"), 1, 1)
        with HangingFiles(tmp_path / "hanging", killable=False):
            for _ in range(MAX_STUCK):
                with pytest.raises(AccessHungError):
                    find(client, holder.held._replace(bound=hanging))
            with pytest.raises(BrokerUnavailableError, match="does not answer"):
                find(client, holder.held)
            assert len(wait_for_child(supervising, FILE_BROKER)) == MAX_STUCK

        def found() -> SocketFileState | None:
            with suppress(BrokerUnavailableError):
                return find(client, holder.held).state
            return None

        until(found, lambda answer: answer is SocketFileState.SAME)
        until(lambda: len(wait_for_child(supervising, FILE_BROKER)), lambda count: count == 1)


@pytest.mark.fault(
    "the same while the other broker is asked",
    "it answers at once",
)
def test_the_other_broker_goes_on_while_the_file_broker_hangs(tmp_path: Path) -> None:
    started = supervisor.start(Confinement())
    client, other = FileBrokerClient(started.file_channel), BrokerClient(started.channel)
    with HangingFiles(tmp_path / "hanging", killable=False):
        hanging = BoundSocket(bytes(tmp_path / "hanging/x.sock"), 1, 1)
        hung: list[object] = []

        def ask() -> None:
            try:
                find(client, HeldSocket(os.getpid(), start_ticks("self"), hanging))
            except AccessHungError as error:
                hung.append(error)

        thread = threading.Thread(target=ask)
        thread.start()
        slowest = 0.0
        while thread.is_alive():
            began = time.monotonic()
            other.pids()
            slowest = max(slowest, time.monotonic() - began)
            time.sleep(0.05)
        assert len(hung) == 1
        assert slowest < 0.5
        figures.note(f"{slowest:.2f} s at most")
        assert other.ended == 0
    client.close()
    other.close()
    os.waitpid(started.supervisor, 0)


def test_a_file_broker_that_is_killed_between_two_requests_is_replaced() -> None:
    with file_broker() as client:
        supervising = supervisor_of(os.getpid())
        for count in (1, 2):
            client.read(os.getpid(), start_ticks("self"), ProcessFile.VIEW)
            (first,) = wait_for_child(supervising, FILE_BROKER)
            os.kill(first, signal.SIGKILL)
            wait_for_another(supervising, first)
            client.read(os.getpid(), start_ticks("self"), ProcessFile.VIEW)
            assert (client.ended, client.hung) == (count, 0)


def test_a_socket_that_is_closed_ends_the_file_broker_alone() -> None:
    started: StartedBrokers = supervisor.start(Confinement())
    (pid,) = wait_for_child(started.supervisor, FILE_BROKER)
    started.file_channel.close()
    until(lambda: state(pid), lambda letter: letter in {"", "Z"})
    time.sleep(0.3)
    assert state(started.supervisor) == "S"
    started.channel.close()
    os.waitpid(started.supervisor, 0)
