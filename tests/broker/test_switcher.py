"""Visits to real namespaces: what was opened there belongs there, and nothing of it stays."""

from __future__ import annotations

import errno
import os
import resource
import signal
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from exporter.broker import switcher as entrance
from exporter.broker.server import serve
from exporter.broker.switcher import LOST, NamespaceSwitcher
from exporter.broker.wire import NAMESPACE_FILES, NamespaceTarget
from exporter.kernel.netns.broker_client import BrokerLostError, OpenedDescriptors
from exporter.kernel.sock_diag import requests
from exporter.kernel.sock_diag import tcp as inet
from exporter.kernel.sock_diag.dump import ForeignDatagrams, accept_kernel_only, dump
from exporter.kernel.sock_diag.messages import messages
from testbed import namespace, programs
from tests.broker.broker_processes import broker_of, brokered, keeper_of, one, status, wait_for_child
from tests.broker.namespaced_process import (
    Neighbour,
    cookie_of,
    descriptors,
    give_name,
    hide_named,
    own_cookie,
    take_name,
    until,
)

pytestmark = pytest.mark.netns
ALL_FILES = 2 ** len(NAMESPACE_FILES) - 1


def diag_of(opened: OpenedDescriptors) -> socket.socket:
    """The socket of a visit, deaf as an exporter makes it."""
    channel = socket.socket(fileno=opened.diag)
    opened.diag = -1
    accept_kernel_only(channel, ForeignDatagrams())
    return channel


def ports_in(opened: OpenedDescriptors) -> list[int]:
    """The ports that somebody listens on, through the socket of a visit."""
    channel = diag_of(opened)
    rows = [row for datagram in dump(requests.TCP_LISTENERS, lambda: channel) for row in messages(datagram)]
    found = [inet.listener(row).endpoint for row in rows]
    return sorted(endpoint.port for endpoint in found if endpoint is not None)


def text_in(opened: OpenedDescriptors, name: str) -> str:
    """A file of a visit."""
    return os.pread(opened.files[name], 1 << 16, 0).decode()


def settled(number: int) -> None:
    namespace.write_sysctl("net.core.somaxconn", number)
    namespace.write_sysctl("net.ipv4.tcp_max_syn_backlog", number + 1)


def resets(text: str) -> int:
    """OutRsts of net/snmp, which a refused connection adds to."""
    names, values = (line.split() for line in text.splitlines() if line.startswith("Tcp:"))
    return int(values[names.index("OutRsts")])


def refuse(times: int) -> None:
    for _ in range(times):
        with socket.socket() as client:
            assert client.connect_ex(("127.0.0.1", 9)) == errno.ECONNREFUSED


def busy() -> None:
    settled(77)
    refuse(5)


def test_what_is_opened_by_a_process_belongs_to_its_namespace() -> None:
    settled(300)
    with (
        socket.create_server(("127.0.0.1", 80)),
        Neighbour(81, 82, prepare=busy) as neighbour,
        brokered() as broker,
    ):
        opened = one(broker, NamespaceTarget(pid=neighbour.pid, files=ALL_FILES))
        assert list(opened.files) == list(NAMESPACE_FILES)
        assert text_in(opened, "sys/net/core/somaxconn") == "77\n"
        assert text_in(opened, "sys/net/ipv4/tcp_max_syn_backlog") == "78\n"
        assert resets(text_in(opened, "net/snmp")) == 5
        for name, first in (("net/tcp", ":0051"), ("net/unix", "RefCount"), ("net/netstat", "TcpExt")):
            assert first in text_in(opened, name)
        assert ":0050 " not in text_in(opened, "net/tcp")
        assert opened.seconds > 0
        with socket.socket(fileno=os.dup(opened.diag)) as channel:
            assert cookie_of(channel) == neighbour.cookie != own_cookie()
        assert ports_in(opened) == [81, 82]
        opened.close()


def test_what_is_opened_by_a_name_belongs_to_the_namespace_with_this_name() -> None:
    hide_named()
    with Neighbour(81) as neighbour:
        give_name("web", neighbour.pid)
        neighbour.end()
        with brokered() as broker:
            opened = one(broker, NamespaceTarget(name=b"web"))
            with socket.socket(fileno=os.dup(opened.diag)) as channel:
                assert cookie_of(channel) == neighbour.cookie
            opened.close()
            take_name("web")
            with pytest.raises(FileNotFoundError):
                one(broker, NamespaceTarget(name=b"web"))


def test_many_at_once_are_each_their_own_and_those_that_fail_disturb_none() -> None:
    hide_named()
    settled(300)
    (Path("/run/netns") / "left-over").touch()
    os.mkfifo("/run/netns/fifo")
    (Path("/run/netns") / "link").symlink_to("/proc/self/ns/net")
    with (
        Neighbour(81, prepare=lambda: settled(71)) as first,
        Neighbour(82) as gone,
        Neighbour(83, prepare=lambda: settled(73)) as last,
        brokered() as broker,
    ):
        targets = [
            NamespaceTarget(pid=first.pid, files=ALL_FILES),
            NamespaceTarget(pid=gone.pid, files=ALL_FILES),
            NamespaceTarget(name=b"missing", files=ALL_FILES),
            NamespaceTarget(pid=last.pid, files=ALL_FILES),
            NamespaceTarget(name=b"left-over", files=ALL_FILES),
            NamespaceTarget(name=b"fifo", files=ALL_FILES),
            NamespaceTarget(name=b"link", files=ALL_FILES),
            NamespaceTarget(name=b"x" * 255, files=ALL_FILES),
            NamespaceTarget(pid=first.pid, files=ALL_FILES),
        ]
        gone.end()
        found = list(broker.enter(targets))
        failures = [each.errno if isinstance(each, OSError) else 0 for each in found]
        assert failures == [
            0,
            errno.ESRCH,
            errno.ENOENT,
            0,
            errno.EINVAL,
            errno.EINVAL,
            errno.ELOOP,
            errno.ENOENT,
            0,
        ]
        for at, port, limit in ((0, 81, 71), (3, 83, 73), (8, 81, 71)):
            opened = found[at]
            assert isinstance(opened, OpenedDescriptors)
            assert text_in(opened, "sys/net/core/somaxconn") == f"{limit}\n"
            assert ports_in(opened) == [port]
            opened.close()


def test_the_broker_is_at_home_after_each_visit_also_after_one_that_failed() -> None:
    home = Path("/proc/self/ns/net").stat().st_ino
    with Neighbour(81) as neighbour, Neighbour() as gone, brokered() as broker:
        kept_by = keeper_of(os.getpid())
        at = broker_of(kept_by)
        there = Path(f"/proc/{at}/ns/net")
        lost = gone.pid
        gone.end()
        for targets in (
            [NamespaceTarget(pid=neighbour.pid)],
            [NamespaceTarget(pid=neighbour.pid), NamespaceTarget(pid=lost)],
            [NamespaceTarget(pid=lost)],
            [NamespaceTarget(pid=lost), NamespaceTarget(pid=neighbour.pid)],
        ):
            for opened in broker.enter(targets):
                if isinstance(opened, OpenedDescriptors):
                    opened.close()
            # It answers in order, so it has come home by then.
            assert os.getpid() in broker.pids()
            assert there.stat().st_ino == home
            assert broker.namespaces()[neighbour.inode] == neighbour.pid
            # The first of its processes stands for a namespace: it is the likeliest to stay.
            assert broker.namespaces()[home] == 1
        assert broker.ended == 0


def test_what_is_opened_at_home_belongs_home() -> None:
    with Neighbour() as neighbour:
        way = NamespaceSwitcher()
        with way.entered():
            way.enter(NamespaceTarget(pid=neighbour.pid))
            assert own_cookie() == neighbour.cookie
            with pytest.raises(ProcessLookupError):
                way.enter(NamespaceTarget(pid=2**31 - 1))
            assert own_cookie() == neighbour.cookie
        assert own_cookie() != neighbour.cookie
        with pytest.raises(ZeroDivisionError), way.entered():
            way.enter(NamespaceTarget(pid=1 // (own_cookie() == neighbour.cookie)))
        assert own_cookie() != neighbour.cookie


def test_a_process_that_started_at_another_time_is_another_process() -> None:
    with Neighbour() as neighbour, brokered() as broker:
        started = neighbour.started()
        one(broker, NamespaceTarget(pid=neighbour.pid, started=started)).close()
        for other in (started - 1, started + 1, 1, 2**64 - 1):
            with pytest.raises(ProcessLookupError):
                one(broker, NamespaceTarget(pid=neighbour.pid, started=other))


def test_a_number_that_another_process_got_is_refused() -> None:
    last = Path("/proc/sys/kernel/ns_last_pid")
    with Neighbour() as neighbour, brokered() as broker:
        pid, started = neighbour.pid, neighbour.started()
        neighbour.end()
        # Clock ticks are hundredths of a second.
        until(lambda: int(float(Path("/proc/uptime").read_text().split()[0]) * 100) > started + 2)
        for _ in range(20):
            try:
                last.write_text(str(pid - 1))
            except OSError as refused:
                pytest.skip(f"the next process cannot be given a number: {refused}")
            with Neighbour() as other:
                if other.pid != pid:
                    continue
                one(broker, NamespaceTarget(pid=pid)).close()
                with pytest.raises(ProcessLookupError):
                    one(broker, NamespaceTarget(pid=pid, started=started))
                return
        pytest.skip("somebody else took the number each time")


def test_a_number_that_no_process_can_have_is_refused_and_the_broker_lives(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("exporter.kernel.netns.broker_client._SILENCE_SECONDS", 0.0)
    with brokered(patience_seconds=2) as broker:
        for target in (NamespaceTarget(pid=2**31 - 1), NamespaceTarget(name=b"nobody")):
            with pytest.raises((ProcessLookupError, FileNotFoundError)):
                one(broker, target)
        for target in (
            NamespaceTarget(pid=2**31),
            NamespaceTarget(name=b"a\0b"),
            NamespaceTarget(name=b"../../proc/self/ns/net"),
        ):
            with pytest.raises(BrokerLostError, match="does not answer"):
                one(broker, target)
        assert os.getpid() in broker.pids()
        assert broker.ended == 0


def test_no_descriptor_stays_open_over_a_thousand_visits() -> None:
    with Neighbour(81) as neighbour, Neighbour() as gone, brokered() as broker:
        lost = gone.pid
        gone.end()
        targets = [
            NamespaceTarget(pid=neighbour.pid, files=ALL_FILES),
            NamespaceTarget(pid=lost, files=ALL_FILES),
            NamespaceTarget(pid=neighbour.pid, files=ALL_FILES, started=1),
            NamespaceTarget(pid=neighbour.pid),
        ]

        def visit() -> None:
            for opened in broker.enter(targets):
                if isinstance(opened, OpenedDescriptors):
                    opened.close()
            broker.namespaces()
            os.close(broker.open_of_process(neighbour.pid, "stat"))

        visit()
        at = broker_of(keeper_of(os.getpid()))
        before = descriptors(), descriptors(at)
        for _ in range(250):
            visit()
        broker.pids()
        # The broker closes its own copies after it has answered.
        until(lambda: (descriptors(), descriptors(at)) == before)


def test_who_gives_up_half_way_gets_the_right_answer_next_and_leaves_nothing_open() -> None:
    with Neighbour(81) as neighbour, brokered() as broker:
        targets = [NamespaceTarget(pid=neighbour.pid, files=ALL_FILES)] * 8
        broker.pids()
        at = broker_of(keeper_of(os.getpid()))
        before = descriptors(), descriptors(at)
        for taken in range(8):
            attach_all = broker.enter(targets)
            for opened in (next(attach_all) for _ in range(taken)):
                assert isinstance(opened, OpenedDescriptors)
                opened.close()
            del attach_all
            assert broker.namespaces()[neighbour.inode] == neighbour.pid
        # The broker closes its own copies after it has answered.
        until(lambda: (descriptors(), descriptors(at)) == before)


@pytest.mark.parametrize("room", [0, 1, 5])
def test_where_no_more_descriptors_may_be_open_a_visit_fails_and_keeps_none(room: int) -> None:
    with brokered() as broker:
        broker.pids()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        before = descriptors()
        # Fill the gaps, so that the limit leaves just this room.
        highest = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208  (names are all that is wanted)
        filled = [os.dup(0)]
        while filled[-1] <= highest:
            filled.append(os.dup(0))
        resource.setrlimit(resource.RLIMIT_NOFILE, (filled[-1] + 1 + room, hard))
        target = NamespaceTarget(pid=os.getpid(), files=ALL_FILES)
        (found,) = broker.enter([target])
        if room == 0:
            with pytest.raises(OSError, match="open files") as refused:
                broker.open_of_process(os.getpid(), "stat")
            assert refused.value.errno == errno.EMFILE
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert isinstance(found, OSError)
        assert found.errno == errno.EMFILE
        assert descriptors() == before + len(filled)
        one(broker, target).close()


@pytest.mark.parametrize("half_way", [False, True])
def test_a_namespace_without_processes_goes_at_once_while_it_is_visited(half_way: bool) -> None:  # noqa: FBT001
    with Neighbour(81) as neighbour, brokered() as broker:
        pid = neighbour.pid
        programs.output(
            "ip", "link", "add", "here", "type", "veth", "peer", "name", "there", "netns", str(pid)
        )

        def visit() -> bool:
            attach_all: Iterator[OpenedDescriptors | OSError] = broker.enter(
                [NamespaceTarget(pid=pid, files=ALL_FILES)] * 3
            )
            for opened in attach_all:
                if isinstance(opened, OpenedDescriptors):
                    assert ports_in(opened) in ([81], [])
                    opened.close()
                if half_way:
                    break
            del attach_all
            return "here" not in [name for _, name in socket.if_nameindex()]

        for _ in range(20):
            assert not visit()
        neighbour.end()
        until(visit)


def test_a_broker_that_cannot_come_home_ends() -> None:
    pid = os.fork()
    if pid == 0:
        way = NamespaceSwitcher()
        with way.entered():
            way.enter(NamespaceTarget(pid=os.getpid()))
            entrance._setns = _lost  # noqa: SLF001
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == LOST


def test_a_broker_that_cannot_come_home_never_answers_from_there_and_another_one_starts(
    tmp_path: Path,
) -> None:
    once = tmp_path / "once"

    def run(channel: socket.socket) -> None:
        if not once.exists():
            once.touch()
            real, home = entrance._setns, Path("/proc/self/ns/net").stat().st_ino  # noqa: SLF001

            def way(descriptor: int) -> None:
                if os.fstat(descriptor).st_ino == home:
                    _lost(descriptor)
                real(descriptor)

            entrance._setns = way  # noqa: SLF001
        serve(channel)

    with Neighbour(81) as neighbour, brokered(run=run) as broker:
        kept_by = keeper_of(os.getpid())
        first = broker_of(kept_by)
        one(broker, NamespaceTarget(pid=neighbour.pid)).close()
        until(lambda: wait_for_child(kept_by, "lqe-broker") != [first])
        for _ in range(3):
            one(broker, NamespaceTarget(pid=neighbour.pid)).close()
            assert os.getpid() in broker.pids()
        assert broker.ended == 1
        assert once.exists()


def _lost(descriptor: int) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM), descriptor)


def test_what_only_the_broker_may_read_of_a_process_comes_from_that_process() -> None:
    with Neighbour(81, user=4711) as neighbour, brokered() as broker:
        for name in ("stat", "comm", "cgroup"):
            descriptor = broker.open_of_process(neighbour.pid, name)
            assert os.read(descriptor, 4096) == Path(f"/proc/{neighbour.pid}/{name}").read_bytes()
            os.close(descriptor)
        with pytest.raises(FileNotFoundError):
            broker.open_of_process(2**31 - 1, "stat")
        with pytest.raises(ValueError, match="not in tuple"):
            broker.open_of_process(neighbour.pid, "environ")
        (sockets,) = broker.sockets(neighbour.pid)
        assert len(sockets) == len(set(sockets)) >= 1
        links = {str(link.readlink()) for link in Path(f"/proc/{neighbour.pid}/fd").iterdir()}
        assert {f"socket:[{inode}]" for inode in sockets} == {link for link in links if "socket" in link}
        assert int(status(neighbour.pid)["Uid"].split()[0]) == 4711


def test_processes_and_sockets_come_in_portions_that_miss_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.broker.wire.MAX_PER_REPLY", 3)
    listening = [socket.create_server(("127.0.0.1", 0)) for _ in range(20)]
    with Neighbour() as neighbour, brokered() as broker:
        for _ in range(2):
            portions = list(broker.sockets(os.getpid()))
            assert len(portions) > 6
            found = [inode for portion in portions for inode in portion]
            assert {os.fstat(each.fileno()).st_ino for each in listening} <= set(found)
            assert len(found) == len(set(found))
            others = {inode for portion in broker.sockets(neighbour.pid) for inode in portion}
            assert not others & set(found)
            listening.append(socket.create_server(("127.0.0.1", 0)))
        pids = broker.pids()
        assert pids == sorted(set(pids))
        assert {1, os.getpid(), neighbour.pid} <= set(pids)
        assert broker.namespaces()[neighbour.inode] == neighbour.pid
    for each in listening:
        each.close()


def test_a_broker_that_stands_still_is_given_up_and_its_late_reply_is_not_believed() -> None:
    with Neighbour(81) as neighbour, brokered(patience_seconds=2) as broker:
        broker.pids()
        at = broker_of(keeper_of(os.getpid()))
        before = descriptors()
        os.kill(at, signal.SIGSTOP)
        with pytest.raises(BrokerLostError, match="does not answer"):
            one(broker, NamespaceTarget(pid=neighbour.pid, files=ALL_FILES))
        os.kill(at, signal.SIGCONT)

        def answers() -> bool:
            with suppress(BrokerLostError):
                return os.getpid() in broker.pids()
            return False

        until(answers)
        assert descriptors() == before
        assert broker.ended == 0
