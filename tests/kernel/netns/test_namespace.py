"""Every question to a namespace goes to its own sockets and its own /proc, and leaves nothing open."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from exporter.kernel.errors import KernelError, MalformedReplyError
from exporter.kernel.family import TCP, UNIX
from exporter.kernel.netns.namespace import Namespace, own_namespace
from exporter.kernel.procfs.counters import TcpCounters
from exporter.kernel.procfs.files import OWN_PROCFS, ProcfsFiles
from exporter.kernel.records import Endpoint, Method
from exporter.kernel.sock_diag import requests
from tests.kernel import recordings
from tests.kernel.datagrams import ESTABLISHED, done, error, inet_row, message, tcp_info, tcp_row, unix_row
from tests.kernel.fake_kernel import FakeKernel
from tests.kernel.procfs_tree import put, table, tcp_files, tcp_line, unix_file, unix_line


def namespace(kernel: FakeKernel, proc: Path = Path("/nowhere")) -> Namespace:
    return Namespace("test", kernel.connect, ProcfsFiles.at(proc))


def waiting_row(port: int, milliseconds: int) -> bytes:
    return inet_row(1, port=port, state=ESTABLISHED, inode=0, attributes=tcp_info(milliseconds))


def endpoint(port: int) -> Endpoint:
    return Endpoint(socket.AF_INET, socket.inet_aton("127.0.0.1"), port, 0)


def test_tcp_listeners_come_from_its_sockets() -> None:
    kernel = FakeKernel(tcp_row(1), tcp_row(2) + done())
    changes = namespace(kernel).listeners(TCP, Method.SOCK_DIAG).read(0.0)
    assert [listener.cookie for listener, _ in changes.opened] == [1, 2]
    assert kernel.requests == [requests.TCP_LISTENERS]
    assert kernel.all_closed()


def test_unix_listeners_come_from_its_sockets() -> None:
    kernel = FakeKernel(unix_row(1, name=b"\0a"), done())
    changes = namespace(kernel).listeners(UNIX, Method.SOCK_DIAG).read(0.0)
    assert [listener.name for listener, _ in changes.opened] == [b"\0a"]
    assert kernel.requests == [requests.UNIX_LISTENERS]
    assert kernel.all_closed()


def test_where_it_has_no_sock_diag_its_proc_is_read(tmp_path: Path) -> None:
    kernel = FakeKernel(error(-errno.ENOENT))
    tcp_files(tmp_path, [tcp_line("127.0.0.1", 8000, inode=7), tcp_line("127.0.0.1", 80, state=3)], None)
    unix_file(tmp_path, [unix_line(8, b"/a")])
    put(tmp_path, "net/snmp", table("Tcp", {"InSegs": 1}))
    asked = namespace(kernel, tmp_path)
    for family, inode in ((TCP, 7), (UNIX, 8)):
        changes = asked.listeners(family, Method.AUTO).read(0.0)
        assert [listener.inode for listener, _ in changes.opened] == [inode]
    assert asked.syn_recv(Method.AUTO).read(0.0) == {endpoint(80): 1}
    assert kernel.all_closed()


def test_syn_recv_connections_come_from_its_sockets(tmp_path: Path) -> None:
    recording = recordings.load("half_open")
    kernel = FakeKernel(*recording.datagrams, port=recording.port_id)
    reader = namespace(kernel, tmp_path).syn_recv(Method.SOCK_DIAG)
    assert sum(reader.read(0.0).values()) == sum(int(fact["count"]) for fact in recording.truth)
    assert kernel.requests == [requests.SYN_RECV]


def test_its_gate_counts_its_segments(tmp_path: Path) -> None:
    activity = namespace(FakeKernel(), tmp_path).tcp_activity()
    idle = []
    for now, segments in enumerate((1, 1, 2, 2)):
        put(tmp_path, "net/snmp", table("Tcp", {"InSegs": segments}))
        idle.append(activity.idle(float(now)))
    assert idle == [False, True, False, True]


def test_waits_are_asked_for_at_these_ports_once() -> None:
    kernel = FakeKernel(waiting_row(80, 1500), waiting_row(81, 20), waiting_row(80, 3000), done())
    assert namespace(kernel).oldest_waits({80, 81}) == {endpoint(80): 3.0, endpoint(81): 0.02}
    assert kernel.requests == [requests.waiting({80, 81})]
    assert kernel.all_closed()


def test_no_ports_are_no_question() -> None:
    """The kernel would refuse an empty filter."""
    kernel = FakeKernel()
    assert namespace(kernel).oldest_waits([]) == {}
    assert kernel.requests == []


@pytest.mark.parametrize("count", [requests.MOST_PORTS, requests.MOST_PORTS + 1, 65536])
def test_more_ports_than_one_filter_can_hold_are_asked_for_in_portions(count: int) -> None:
    kernel = FakeKernel(waiting_row(80, 1000), done())
    assert namespace(kernel).oldest_waits(range(count)) == {endpoint(80): 1.0}
    expected = [
        requests.waiting(range(start, min(start + requests.MOST_PORTS, count)))
        for start in range(0, count, requests.MOST_PORTS)
    ]
    assert kernel.requests == expected


def ask_waits(asked: Namespace) -> object:
    return asked.oldest_waits({80})


def ask_syn_recv(asked: Namespace) -> object:
    return asked.syn_recv(Method.SOCK_DIAG).read(0.0)


def ask_tcp(asked: Namespace) -> object:
    return asked.listeners(TCP, Method.SOCK_DIAG).read(0.0)


def ask_unix(asked: Namespace) -> object:
    return asked.listeners(UNIX, Method.SOCK_DIAG).read(0.0)


@pytest.mark.parametrize("ask", [ask_waits, ask_syn_recv, ask_tcp, ask_unix])
def test_an_error_that_is_kept_keeps_no_socket_open(
    ask: Callable[[Namespace], object], tmp_path: Path
) -> None:
    """A source remembers its last error, and an error the frames it went through."""
    put(tmp_path, "net/snmp", table("Tcp", {"InSegs": 1}))
    kernel = FakeKernel(message(bytes(4)), tcp_row(1), done())
    with pytest.raises(MalformedReplyError) as kept:
        ask(namespace(kernel, tmp_path))
    assert kernel.all_closed()
    assert kept.value.reason == "malformed"


def test_mptcp_listeners_are_known_by_their_inodes() -> None:
    recording = recordings.load("mptcp_listeners")
    kernel = FakeKernel(*recording.datagrams, port=recording.port_id)
    found = namespace(kernel).mptcp_inodes()
    assert len(found) == 1
    assert kernel.requests == [
        requests.mptcp_listeners(socket.AF_INET),
        requests.mptcp_listeners(socket.AF_INET6),
    ]


@pytest.mark.parametrize("reply", [done(-errno.ENOENT), error(-errno.EINVAL)])
def test_a_kernel_without_mptcp_has_no_such_listener(reply: bytes) -> None:
    kernel = FakeKernel(reply)
    assert namespace(kernel).mptcp_inodes() == frozenset()
    assert kernel.all_closed()


def test_counters_and_settings_come_from_its_proc(tmp_path: Path) -> None:
    put(tmp_path, "net/netstat", table("TcpExt", {"ListenDrops": 3}))
    put(tmp_path, "sys/net/core/somaxconn", "99\n")
    asked = namespace(FakeKernel(), tmp_path)
    assert asked.counters() == TcpCounters(None, 3, None, None, None, None, None)
    assert asked.sysctls().somaxconn == 99


def test_the_host_is_this_very_namespace() -> None:
    assert own_namespace().name == "host"
    assert own_namespace().proc is OWN_PROCFS
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208  (the names are all that is wanted)
    with own_namespace().connect() as opened:
        assert opened.getpeername() == (0, 0)
    try:
        own_namespace().counters()
    except KernelError as error:
        pytest.fail(str(error))
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208
