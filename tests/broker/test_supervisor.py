"""The broker is started again whenever it ends, and ends with the exporter."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.broker import supervisor
from exporter.broker.confinement import Confinement
from exporter.broker.process_name import BROKER, FILE_BROKER
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import BrokerUnavailableError
from exporter.kernel.netns.broker_client import BrokerClient
from testbed import syscalls
from testbed.waiting import equals, until
from tests.broker.broker_processes import (
    broker_of,
    open_one,
    parents,
    running_broker,
    state,
    supervisor_of,
    wait_for_child,
)
from tests.broker.namespaced_process import NamespacedProcess, descriptors

pytestmark = pytest.mark.netns


def ended(*pids: int) -> bool:
    return all(state(pid) in {"", "Z", "X"} for pid in pids)


class Exporter:
    """A process that started a broker and then waits, in a process group of its own."""

    def __init__(self, work: Callable[[], object] = lambda: None) -> None:
        receiver, sender = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setpgid(0, 0)
                syscalls.die_with_parent()
                channel = supervisor.start(Confinement()).channel
                BrokerClient(channel).pids()
                work()
                os.write(sender, b"!")
                while True:
                    signal.pause()
                    channel.fileno()
            finally:
                os._exit(1)
        os.close(sender)
        assert os.read(receiver, 1) == b"!"
        os.close(receiver)
        self.supervisor = supervisor_of(self.pid)
        self.broker = broker_of(self.supervisor)

    def end(self, number: int) -> None:
        """End it by a signal."""
        os.kill(self.pid, number)
        os.waitpid(self.pid, 0)


def test_a_broker_killed_before_it_has_answered_is_lost_once_and_the_next_request_is_answered() -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        broker.pids()
        before = descriptors()
        first = broker_of(supervisor_of(os.getpid()))
        os.kill(first, signal.SIGSTOP)
        entered = broker.enter([NamespaceTarget(pid=process.pid)] * 4)
        pid = os.fork()
        if pid == 0:
            time.sleep(0.2)
            os.kill(first, signal.SIGKILL)
            os._exit(0)
        with pytest.raises(BrokerUnavailableError, match="ended"):
            next(entered)
        os.waitpid(pid, 0)
        assert broker.ended == 1
        for _ in range(3):
            open_one(broker, NamespaceTarget(pid=process.pid)).close()
            assert os.getpid() in broker.pids()
        assert broker.ended == 1
        assert descriptors() == before


def test_a_broker_killed_between_two_requests_is_replaced() -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        supervising = supervisor_of(os.getpid())
        for count in (1, 2, 3):
            broker.pids()
            first = broker_of(supervising)
            os.kill(first, signal.SIGKILL)
            # The supervisor has waited for it, tells of it, and starts another.
            until(lambda: broker_of(supervising), lambda pid, first=first: pid != first)  # type: ignore[misc]
            open_one(broker, NamespaceTarget(pid=process.pid)).close()
            assert broker.ended == count


def fail(channel: socket.socket) -> None:
    """Serve as a broker that has a bug."""
    if channel.recv(100):
        raise RuntimeError("a bug")


def test_a_broker_that_fails_writes_its_error_and_is_started_again(capfd: pytest.CaptureFixture[str]) -> None:
    with running_broker(serve=fail) as broker:
        for count in (1, 2):
            with pytest.raises(BrokerUnavailableError, match="ended"):
                broker.pids()
            assert broker.ended == count
    assert capfd.readouterr().err == "listen-queue-exporter: lqe-broker: RuntimeError: a bug\n" * 2


@pytest.mark.fault(
    "a broker fails with an error, and standard error is a pipe that nobody reads",
    "another takes its place",
)
def test_a_broker_that_fails_is_started_again_where_nobody_reads_its_error() -> None:
    reading, writing = os.pipe2(os.O_NONBLOCK)
    with suppress(BlockingIOError):
        while True:
            os.write(writing, bytes(4096))
    os.set_blocking(writing, True)
    standard_error = os.dup(2)
    os.dup2(writing, 2)
    try:
        with running_broker(serve=fail) as broker:
            for _ in range(2):
                with pytest.raises(BrokerUnavailableError, match="ended"):
                    broker.pids()
    finally:
        os.dup2(standard_error, 2)
        for descriptor in (reading, writing, standard_error):
            os.close(descriptor)


def test_without_a_supervisor_every_request_fails_as_it_is_gone() -> None:
    broker = BrokerClient(supervisor.start(Confinement()).channel)
    broker.pids()
    supervising = supervisor_of(os.getpid())
    brokering = broker_of(supervising)
    os.kill(supervising, signal.SIGKILL)
    os.waitpid(supervising, 0)
    until(lambda: ended(brokering), bool)
    for call in (
        broker.pids,
        lambda: broker.namespaces([1]),
        lambda: list(broker.enter([NamespaceTarget(pid=1)])),
    ):
        # A request that nobody answers fails with other words, after half a second.
        with pytest.raises(BrokerUnavailableError, match="gone"):
            call()
    broker.close()


def test_when_the_supervisor_is_killed_the_request_under_way_fails() -> None:
    broker = BrokerClient(supervisor.start(Confinement()).channel)
    broker.pids()
    supervising = supervisor_of(os.getpid())
    brokering = broker_of(supervising)
    os.kill(brokering, signal.SIGSTOP)
    pid = os.fork()
    if pid == 0:
        time.sleep(0.2)
        os.kill(supervising, signal.SIGKILL)
        os._exit(0)
    with pytest.raises(BrokerUnavailableError, match="gone"):
        broker.pids()
    for child in (pid, supervising):
        os.waitpid(child, 0)
    until(lambda: ended(brokering), bool)
    broker.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
@pytest.mark.fault(
    "the exporter is killed or ended",
    "supervisor and broker end with it",
)
def test_supervisor_and_broker_end_with_the_exporter(number: int) -> None:
    exporter = Exporter()
    assert not ended(exporter.supervisor, exporter.broker)
    exporter.end(number)
    until(lambda: ended(exporter.supervisor, exporter.broker), bool)


@pytest.mark.fault(
    "the exporter is killed when its broker was killed",
    "the supervisor ends with it, and starts no broker",
)
def test_the_supervisor_ends_with_the_exporter_also_while_there_is_no_broker() -> None:
    exporter = Exporter()
    os.kill(exporter.broker, signal.SIGKILL)
    exporter.end(signal.SIGKILL)
    until(lambda: ended(exporter.supervisor), bool)
    until(parents, lambda found: exporter.supervisor not in found)


def test_supervisor_and_broker_end_when_the_socket_is_closed() -> None:
    broker = BrokerClient(supervisor.start(Confinement()).channel)
    supervising = supervisor_of(os.getpid())
    brokering = broker_of(supervising)
    broker.close()
    assert os.waitstatus_to_exitcode(os.waitpid(supervising, 0)[1]) == 0
    assert ended(brokering)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_process_group_ends_neither_supervisor_nor_broker(number: int) -> None:
    def handle() -> None:
        signal.signal(number, lambda *_: None)

    exporter = Exporter(handle)
    assert os.getpgid(exporter.broker) == os.getpgid(exporter.supervisor) == exporter.pid
    for _ in range(3):
        os.killpg(exporter.pid, number)
        time.sleep(0.05)
    assert not ended(exporter.supervisor, exporter.broker, exporter.pid)
    assert wait_for_child(exporter.supervisor, BROKER) == [exporter.broker]
    exporter.end(signal.SIGKILL)
    until(lambda: ended(exporter.supervisor, exporter.broker), bool)


def test_they_have_no_descriptor_of_the_exporter_but_the_socket_and_the_standard_streams() -> None:
    with (
        socket.create_server(("127.0.0.1", 80)) as server,
        Path("/proc/self/net/tcp").open() as file,
        running_broker() as broker,
    ):
        broker.pids()
        supervising = supervisor_of(os.getpid())
        brokering = broker_of(supervising)
        assert not file.closed
        (reading,) = wait_for_child(supervising, FILE_BROKER)
        # A process that was just forked has its name before it has closed what it does not need.
        # Two sockets, a timer, and the pipe by which a child that ends wakes it.
        until(lambda: descriptors(supervising), equals(8))
        # The namespace to go back to.
        until(lambda: descriptors(brokering), equals(5))
        until(lambda: descriptors(reading), equals(5))
        held = [
            str(link.readlink())
            for pid in (supervising, brokering, reading)
            for link in Path(f"/proc/{pid}/fd").iterdir()
        ]
        assert f"socket:[{os.fstat(server.fileno()).st_ino}]" not in held
