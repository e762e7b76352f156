"""How the broker lives and dies: with the exporter, and not before it."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.broker import supervisor
from exporter.broker.capabilities import Capability
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.netns.broker_client import BrokerClient, BrokerLostError
from testbed import syscalls
from tests.broker.broker_processes import broker_of, brokered, keeper_of, one, parents, state, wait_for_child
from tests.broker.namespaced_process import Neighbour, descriptors, until

pytestmark = pytest.mark.netns


def ended(*pids: int) -> bool:
    return all(state(pid) in {"", "Z", "X"} for pid in pids)


class Exporter:
    """A process that started a broker and then sleeps, leading a process group of its own."""

    def __init__(self, work: Callable[[], object] = lambda: None) -> None:
        receiver, sender = os.pipe()
        self.pid = os.fork()
        if self.pid == 0:
            try:
                os.setpgid(0, 0)
                syscalls.die_with_parent()
                channel = supervisor.start(tuple(Capability))
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
        self.supervisor = keeper_of(self.pid)
        self.broker = broker_of(self.supervisor)

    def end(self, number: int) -> None:
        """End it by a signal."""
        os.kill(self.pid, number)
        os.waitpid(self.pid, 0)


def test_a_broker_killed_while_it_is_asked_is_lost_once_and_the_next_question_is_answered() -> None:
    with Neighbour(81) as neighbour, brokered() as broker:
        broker.pids()
        before = descriptors()
        first = broker_of(keeper_of(os.getpid()))
        os.kill(first, signal.SIGSTOP)
        attach_all = broker.enter([NamespaceTarget(pid=neighbour.pid)] * 4)
        pid = os.fork()
        if pid == 0:
            time.sleep(0.2)
            os.kill(first, signal.SIGKILL)
            os._exit(0)
        with pytest.raises(BrokerLostError, match="ended"):
            next(attach_all)
        os.waitpid(pid, 0)
        assert broker.ended == 1
        for _ in range(3):
            one(broker, NamespaceTarget(pid=neighbour.pid)).close()
            assert os.getpid() in broker.pids()
        assert broker.ended == 1
        assert descriptors() == before


def test_a_broker_killed_while_nobody_asks_is_replaced_unnoticed() -> None:
    with Neighbour(81) as neighbour, brokered() as broker:
        kept_by = keeper_of(os.getpid())
        for count in (1, 2, 3):
            broker.pids()
            first = broker_of(kept_by)
            os.kill(first, signal.SIGKILL)
            # The news is there once the keeper has noticed.
            until(lambda first=first: state(first) == "")  # type: ignore[misc]
            time.sleep(0.02)
            one(broker, NamespaceTarget(pid=neighbour.pid)).close()
            assert broker.ended == count
            assert broker_of(kept_by) != first


def test_a_broker_that_fails_is_started_again_and_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    def run(channel: socket.socket) -> None:
        if channel.recv(100):
            raise RuntimeError("a bug")

    with brokered(run=run) as broker:
        for count in (1, 2):
            with pytest.raises(BrokerLostError, match="ended"):
                broker.pids()
            assert broker.ended == count
    assert capfd.readouterr().err == "listen-queue-exporter: lqe-broker: RuntimeError: a bug\n" * 2


def test_without_a_keeper_every_question_fails_and_none_waits() -> None:
    broker = BrokerClient(supervisor.start(tuple(Capability)))
    broker.pids()
    kept_by = keeper_of(os.getpid())
    at = broker_of(kept_by)
    os.kill(kept_by, signal.SIGKILL)
    os.waitpid(kept_by, 0)
    until(lambda: ended(at))
    started = time.monotonic()
    for ask in (broker.pids, broker.namespaces, lambda: list(broker.enter([NamespaceTarget(pid=1)]))):
        with pytest.raises(BrokerLostError, match="gone"):
            ask()
    assert time.monotonic() - started < 0.5
    broker.close()


def test_without_a_keeper_the_question_under_way_fails_too() -> None:
    broker = BrokerClient(supervisor.start(tuple(Capability)))
    broker.pids()
    kept_by = keeper_of(os.getpid())
    at = broker_of(kept_by)
    os.kill(at, signal.SIGSTOP)
    pid = os.fork()
    if pid == 0:
        time.sleep(0.2)
        os.kill(kept_by, signal.SIGKILL)
        os._exit(0)
    with pytest.raises(BrokerLostError, match="gone"):
        broker.pids()
    for child in (pid, kept_by):
        os.waitpid(child, 0)
    until(lambda: ended(at))
    broker.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_keeper_and_broker_end_with_the_exporter(number: int) -> None:
    exporter = Exporter()
    assert not ended(exporter.supervisor, exporter.broker)
    exporter.end(number)
    until(lambda: ended(exporter.supervisor, exporter.broker))


def test_keeper_and_broker_end_with_the_exporter_also_while_a_broker_is_lost() -> None:
    exporter = Exporter()
    os.kill(exporter.broker, signal.SIGKILL)
    exporter.end(signal.SIGKILL)
    until(lambda: ended(exporter.supervisor))
    time.sleep(0.3)
    assert exporter.supervisor not in parents()


def test_keeper_and_broker_end_when_they_are_let_go() -> None:
    broker = BrokerClient(supervisor.start(tuple(Capability)))
    kept_by = keeper_of(os.getpid())
    at = broker_of(kept_by)
    broker.close()
    assert os.waitstatus_to_exitcode(os.waitpid(kept_by, 0)[1]) == 0
    assert ended(at)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_all_of_them_is_for_the_exporter(number: int) -> None:
    def take_it() -> None:
        signal.signal(number, lambda *_: None)

    exporter = Exporter(take_it)
    assert os.getpgid(exporter.broker) == os.getpgid(exporter.supervisor) == exporter.pid
    for _ in range(3):
        os.killpg(exporter.pid, number)
        time.sleep(0.05)
    assert not ended(exporter.supervisor, exporter.broker, exporter.pid)
    assert wait_for_child(exporter.supervisor, "lqe-broker") == [exporter.broker]
    exporter.end(signal.SIGKILL)
    until(lambda: ended(exporter.supervisor, exporter.broker))


def test_they_hold_nothing_of_the_exporter_but_the_line_and_the_standard_streams() -> None:
    with (
        socket.create_server(("127.0.0.1", 80)) as server,
        Path("/proc/self/net/tcp").open() as file,
        brokered() as broker,
    ):
        broker.pids()
        kept_by = keeper_of(os.getpid())
        at = broker_of(kept_by)
        assert not file.closed
        assert descriptors(kept_by) == 4
        # And where home is.
        assert descriptors(at) == 5
        held = [str(link.readlink()) for pid in (kept_by, at) for link in Path(f"/proc/{pid}/fd").iterdir()]
        assert f"socket:[{os.fstat(server.fileno()).st_ino}]" not in held
