"""The broker: what it answers, that it is always back in its namespace, and that nothing stays open."""

from __future__ import annotations

import errno
import os
import signal
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.broker import supervisor
from exporter.broker.capabilities import keep_only
from exporter.broker.confinement import Confinement
from exporter.broker.process_name import BROKER
from exporter.broker.readable_files import NAMESPACE_FILES
from exporter.broker.server import BrokerServer, serve
from exporter.broker.switcher import NamespaceSwitcher
from exporter.broker.wire import NamespaceTarget
from exporter.kernel.errors import BrokerUnavailableError
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.netns.opened import OpenedDescriptors
from testbed import programs
from testbed.waiting import until
from tests.broker.broker_processes import (
    broker_of,
    open_one,
    running_broker,
    state,
    status,
    supervisor_of,
    wait_for_child,
)
from tests.broker.broker_thread import broker_thread
from tests.broker.namespaced_process import NamespacedProcess, descriptors
from tests.broker.opened import Opened
from tests.kernel.limits import no_free_descriptor

pytestmark = pytest.mark.netns


def close_all(entered: Iterator[OpenedDescriptors | OSError]) -> None:
    for opened in entered:
        if isinstance(opened, OpenedDescriptors):
            opened.close()


def test_after_each_request_the_broker_is_in_its_own_namespace_also_after_an_error() -> None:
    own = Path("/proc/self/ns/net").stat().st_ino
    with NamespacedProcess(81) as process, NamespacedProcess() as gone, running_broker() as broker:
        supervising = supervisor_of(os.getpid())
        brokering = broker_of(supervising)
        where = Path(f"/proc/{brokering}/ns/net")
        ended = gone.pid
        gone.end()
        for targets in (
            [NamespaceTarget(pid=process.pid)],
            [NamespaceTarget(pid=process.pid), NamespaceTarget(pid=ended)],
            [NamespaceTarget(pid=ended)],
            [NamespaceTarget(pid=ended), NamespaceTarget(pid=process.pid)],
        ):
            close_all(broker.enter(targets))
            # Requests are answered in their order, so the one before has been carried out.
            assert os.getpid() in broker.pids()
            assert where.stat().st_ino == own
            found = broker.namespaces([1, process.pid, ended])
            assert found == {1: own, process.pid: process.inode}
        assert broker.ended == 0


def test_a_target_that_cannot_exist_is_refused_and_the_broker_goes_on() -> None:
    clock = Clock()

    class Client(BrokerClient):
        def __init__(self, channel: socket.socket, **_: object) -> None:
            super().__init__(channel, timeout_seconds=2, clock=clock)

    with running_broker(client=Client) as broker:
        for target in (NamespaceTarget(pid=2**31 - 1), NamespaceTarget(name=b"nobody")):
            with pytest.raises((ProcessLookupError, FileNotFoundError)):
                open_one(broker, target)
        for target in (
            NamespaceTarget(pid=2**31),
            NamespaceTarget(name=b"a\0b"),
            NamespaceTarget(name=b"../../proc/self/ns/net"),
        ):
            with pytest.raises(BrokerUnavailableError, match="does not answer"):
                open_one(broker, target)
            clock.now += 3600
        assert os.getpid() in broker.pids()
        assert broker.ended == 0


class Clock:
    """Monotonic seconds, as a test sets them."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


def test_no_descriptor_stays_open_after_a_thousand_requests() -> None:
    with NamespacedProcess(81) as process, NamespacedProcess() as gone, running_broker() as broker:
        ended = gone.pid
        gone.end()
        targets = [
            NamespaceTarget(pid=process.pid, files=NAMESPACE_FILES),
            NamespaceTarget(pid=ended, files=NAMESPACE_FILES),
            NamespaceTarget(pid=process.pid, files=NAMESPACE_FILES, started=1),
            NamespaceTarget(pid=process.pid),
        ]

        def ask() -> None:
            close_all(broker.enter(targets))
            broker.namespaces([process.pid])
            list(broker.sockets(process.pid))
            os.close(broker.open_of_process(process.pid, "stat"))

        ask()
        # The broker closes its own copies after it has answered, and before it answers the next request.
        broker.pids()
        brokering = broker_of(supervisor_of(os.getpid()))
        before = descriptors(), descriptors(brokering)
        for _ in range(250):
            ask()
        until(lambda: (descriptors(), descriptors(brokering)), lambda now: now == before)


def test_replies_that_are_not_taken_leave_nothing_open_and_the_next_request_is_answered() -> None:
    with NamespacedProcess(81) as process, running_broker() as broker:
        targets = [NamespaceTarget(pid=process.pid, files=NAMESPACE_FILES)] * 8
        broker.pids()
        brokering = broker_of(supervisor_of(os.getpid()))
        before = descriptors(), descriptors(brokering)
        for count in range(8):
            entered = broker.enter(targets)
            close_all(next(entered) for _ in range(count))
            del entered
            assert broker.namespaces([process.pid]) == {process.pid: process.inode}
        until(lambda: (descriptors(), descriptors(brokering)), lambda now: now == before)


@pytest.mark.parametrize("spare", [0, 1, 5])
@pytest.mark.fault(
    "the exporter has no descriptor left for those of a namespace",
    "that fails, and none stays open",
)
def test_where_the_exporter_has_no_free_descriptor_entering_fails_and_keeps_none(spare: int) -> None:
    with running_broker() as broker:
        broker.pids()
        before = descriptors()
        target = NamespaceTarget(pid=os.getpid(), files=NAMESPACE_FILES)
        with no_free_descriptor(spare):
            (found,) = broker.enter([target])
            if spare == 0:
                with pytest.raises(OSError, match="open files") as failed:
                    broker.open_of_process(os.getpid(), "stat")
                assert failed.value.errno == errno.EMFILE
        assert isinstance(found, OSError)
        assert found.errno == errno.EMFILE
        assert descriptors() == before
        open_one(broker, target).close()


@pytest.mark.fault(
    "the broker has no descriptor left",
    "every request fails and says why, and the broker goes on",
)
def test_where_the_broker_has_no_free_descriptor_every_request_fails_with_emfile() -> None:
    """Not with ENOENT, as if there were no such process, namespace or file."""

    def limited(channel: socket.socket) -> None:
        server = BrokerServer(NamespaceSwitcher())
        with no_free_descriptor():
            server.serve(channel)

    with NamespacedProcess(81) as process, running_broker(serve=limited) as broker:
        calls: list[Callable[[], object]] = [
            broker.pids,
            lambda: list(broker.sockets(process.pid)),
            lambda: broker.open_of_process(process.pid, "stat"),
            lambda: open_one(broker, NamespaceTarget(pid=process.pid, files=NAMESPACE_FILES)),
            lambda: open_one(broker, NamespaceTarget(pid=process.pid, started=process.started())),
        ]
        for call in calls:
            with pytest.raises(OSError, match="open files") as failed:
                call()
            assert failed.value.errno == errno.EMFILE
        assert broker.ended == 0


@pytest.mark.parametrize("early", [False, True])
def test_a_namespace_without_processes_goes_at_once_while_it_is_entered(early: bool) -> None:  # noqa: FBT001
    with NamespacedProcess(81) as process, running_broker() as broker:
        pid = process.pid
        programs.output(
            "ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(pid)
        )

        def is_gone() -> bool:
            entered = broker.enter([NamespaceTarget(pid=pid, files=NAMESPACE_FILES)] * 3)
            for found in entered:
                if isinstance(found, OpenedDescriptors):
                    with Opened(found) as opened:
                        assert opened.ports() in ([81], [])
                if early:
                    break
            del entered
            return "here" not in [name for _, name in socket.if_nameindex()]

        for _ in range(20):
            assert not is_gone()
        process.end()
        until(is_gone, bool)


class NotRestoring(NamespaceSwitcher):
    """Drops its capabilities in the namespace that it has entered, so that it cannot go back."""

    def enter(self, target: NamespaceTarget) -> int | None:
        """Enter it for good."""
        pidfd = super().enter(target)
        keep_only(())
        return pidfd


@pytest.mark.fault(
    "a broker that cannot go back to its own namespace",
    "it never answers again, and another takes its place",
)
def test_a_broker_that_cannot_go_back_never_answers_again_and_another_is_started(tmp_path: Path) -> None:
    once = tmp_path / "once"

    def serve_once_wrong(channel: socket.socket) -> None:
        if once.exists():
            serve(channel)
        else:
            once.touch()
            BrokerServer(NotRestoring()).serve(channel)

    with NamespacedProcess(81) as process, running_broker(serve=serve_once_wrong) as broker:
        supervising = supervisor_of(os.getpid())
        first = broker_of(supervising)
        open_one(broker, NamespaceTarget(pid=process.pid)).close()
        until(lambda: wait_for_child(supervising, BROKER), lambda found: found != [first])
        for _ in range(3):
            open_one(broker, NamespaceTarget(pid=process.pid)).close()
            assert os.getpid() in broker.pids()
        assert broker.ended == 1


def test_files_and_sockets_of_a_process_of_another_user() -> None:
    with NamespacedProcess(81, user=4711) as process, running_broker() as broker:
        for name in ("stat", "comm", "cgroup"):
            descriptor = broker.open_of_process(process.pid, name)
            assert os.read(descriptor, 4096) == Path(f"/proc/{process.pid}/{name}").read_bytes()
            os.close(descriptor)
        with pytest.raises(FileNotFoundError):
            broker.open_of_process(2**31 - 1, "stat")
        (sockets,) = broker.sockets(process.pid)
        assert len(sockets) == len(set(sockets)) >= 1
        links = {str(link.readlink()) for link in Path(f"/proc/{process.pid}/fd").iterdir()}
        assert {f"socket:[{inode}]" for inode in sockets} == {link for link in links if "socket" in link}
        assert int(status(process.pid)["Uid"].split()[0]) == 4711


def test_processes_and_sockets_in_portions_are_complete() -> None:
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(20)]
    with NamespacedProcess() as process, broker_thread(max_per_reply=3) as broker:
        found: list[int] = []
        for _ in range(2):
            portions = list(broker.sockets(os.getpid()))
            assert len(portions) > 6
            found = [inode for portion in portions for inode in portion]
            assert {os.fstat(each.fileno()).st_ino for each in listening} <= set(found)
            assert len(found) == len(set(found))
            # More descriptors than were open while they were listed: they have to be listed anew.
            listening.extend(socket.create_server(("127.0.0.1", 0)) for _ in range(20))
        others = {inode for portion in broker.sockets(process.pid) for inode in portion}
        assert not others & set(found)
        pids = broker.pids()
        assert pids == sorted(set(pids))
        assert {1, os.getpid(), process.pid} <= set(pids)
        assert broker.namespaces([process.pid]) == {process.pid: process.inode}
    for each in listening:
        each.close()


@pytest.mark.fault(
    "SIGSTOP of the broker during a request",
    "the request fails in time; what is answered late is dropped, and its descriptors are closed",
)
def test_a_broker_that_is_stopped_is_given_up_and_its_late_reply_is_dropped() -> None:
    with NamespacedProcess(81) as process, running_broker(timeout_seconds=2) as broker:
        broker.pids()
        brokering = broker_of(supervisor_of(os.getpid()))
        before = descriptors()
        os.kill(brokering, signal.SIGSTOP)
        with pytest.raises(BrokerUnavailableError, match="does not answer"):
            open_one(broker, NamespaceTarget(pid=process.pid, files=NAMESPACE_FILES))
        os.kill(brokering, signal.SIGCONT)

        def answers() -> bool:
            with suppress(BrokerUnavailableError):
                return os.getpid() in broker.pids()
            return False

        until(answers, bool)
        assert descriptors() == before
        assert broker.ended == 0


def stop_after(seconds: int) -> int:
    """Start a process that asks to be watched and stops, and return its number."""
    pid = os.fork()
    if pid == 0:
        broker = BrokerClient(supervisor.start(Confinement()).channel, timeout_seconds=10)
        broker.set_watchdog(seconds)
        broker.pids()
        os.kill(os.getpid(), signal.SIGSTOP)
        os._exit(0)
    return pid


def test_a_process_that_keeps_namespaces_open_and_stops_asking_is_killed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    pid = stop_after(1)
    supervising = supervisor_of(pid)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL
    until(lambda: state(supervising), lambda letter: letter in {"Z", ""})
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith(f"listen-queue-exporter: {BROKER}: process {pid} asked for nothing in 3 s")


@pytest.mark.fault(
    "all processes are frozen for longer than the exporter may be silent",
    "they go on",
)
def test_processes_that_were_all_frozen_go_on() -> None:
    """As by `docker pause`: the time is up when they go on, and the broker may be the first that does."""
    pid = stop_after(1)
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    brokering = broker_of(supervisor_of(pid))
    os.kill(brokering, signal.SIGSTOP)
    time.sleep(1.5)
    os.kill(brokering, signal.SIGCONT)
    until(lambda: state(brokering), lambda letter: letter == "S")
    os.kill(pid, signal.SIGCONT)
    assert os.waitpid(pid, 0)[1] == 0


@pytest.mark.fault(
    "SIGSTOP of the exporter, and its broker is killed",
    "the next broker ends it, since it keeps namespaces open",
)
def test_it_is_killed_also_where_the_broker_was_killed_meanwhile() -> None:
    pid = stop_after(4)
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    os.kill(broker_of(supervisor_of(pid)), signal.SIGKILL)
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGKILL


def test_a_process_that_is_not_watched_may_be_silent_for_as_long_as_it_likes() -> None:
    pid = stop_after(0)
    assert os.WIFSTOPPED(os.waitpid(pid, os.WUNTRACED)[1])
    watched = stop_after(1)
    os.waitpid(watched, 0)
    assert os.waitpid(pid, os.WNOHANG) == (0, 0)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def test_each_request_is_a_sign_of_life() -> None:
    with running_broker() as broker:
        broker.set_watchdog(1)
        began = time.monotonic()
        # Longer than the process may be silent, and than what it is granted beyond that.
        while time.monotonic() < began + 4:
            broker.pids()
            time.sleep(0.2)
        broker.set_watchdog(0)
        assert broker.ended == 0
