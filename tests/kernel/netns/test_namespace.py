"""A namespace is read by its own sockets and files, and nothing stays open."""

from __future__ import annotations

import errno
import gc
import os
import socket
from collections.abc import Callable
from contextlib import ExitStack

import pytest

from exporter.kernel.errors import KernelError, MalformedReplyError
from exporter.kernel.family import FAMILIES, TCP, UNIX
from exporter.kernel.netns.namespace import Namespace, own_namespace
from exporter.kernel.procfs.counters import TcpCounters
from exporter.kernel.procfs.files import OWN_PROCFS
from exporter.kernel.records import Endpoint, Method
from exporter.kernel.sock_diag import accept_wait, mptcp, socket_filter, syn_recv
from testbed import seccomp
from tests.kernel import recordings
from tests.kernel.datagrams import ESTABLISHED, done, error, inet_row, message, tcp_info, tcp_row, unix_row
from tests.kernel.fake_kernel import FakeFiles, FakeKernel
from tests.kernel.limits import no_free_descriptor
from tests.kernel.procfs_tree import table, tcp_contents, tcp_line, unix_contents, unix_line

IPPROTO_MPTCP = 262
FIN_WAIT1 = 4


def namespace(kernel: FakeKernel, files: FakeFiles | None = None) -> Namespace:
    return Namespace("test", kernel, files or FakeFiles())


def waiting_row(port: int, milliseconds: int) -> bytes:
    return inet_row(1, port=port, state=ESTABLISHED, inode=0, attributes=tcp_info(milliseconds))


def endpoint(port: int) -> Endpoint:
    return Endpoint(socket.AF_INET, socket.inet_aton("127.0.0.1"), port, 0)


def test_tcp_listeners_are_read_by_its_sockets() -> None:
    kernel = FakeKernel(tcp_row(1), tcp_row(2) + done())
    changes = namespace(kernel).listeners(TCP, Method.SOCK_DIAG).read(0.0)
    assert [listener.cookie for listener, _ in changes.opened] == [1, 2]
    assert kernel.requests == [TCP.rows.requests[0]]
    assert kernel.all_closed()


def test_unix_listeners_are_read_by_its_sockets() -> None:
    kernel = FakeKernel(unix_row(1, name=b"\0a"), done())
    changes = namespace(kernel).listeners(UNIX, Method.SOCK_DIAG).read(0.0)
    assert [listener.address for listener, _ in changes.opened] == ["@a"]
    assert kernel.requests == [UNIX.rows.requests[0]]
    assert kernel.all_closed()


def test_where_it_has_no_sock_diag_its_files_are_read() -> None:
    kernel = FakeKernel(error(-errno.ENOENT))
    lines = [tcp_line("127.0.0.1", 8000, inode=7), tcp_line("127.0.0.1", 80, state=3)]
    asked = namespace(kernel, FakeFiles(tcp_contents(lines) | unix_contents([unix_line(8, b"/a")])))
    for family, inode in ((TCP, 7), (UNIX, 8)):
        changes = asked.listeners(family, Method.AUTO).read(0.0)
        assert [listener.inode for listener, _ in changes.opened] == [inode]
    assert asked.syn_recv(Method.AUTO).read(0.0) == {endpoint(80): 1}
    assert kernel.all_closed()


def test_syn_recv_connections_are_counted_by_its_sockets() -> None:
    recording = recordings.load("syn_recv")
    kernel = FakeKernel(*recording.datagrams)
    reader = namespace(kernel).syn_recv(Method.SOCK_DIAG)
    assert sum(reader.read(0.0).values()) == sum(int(fact["count"]) for fact in recording.truth)
    assert kernel.requests == [syn_recv.REQUEST]


def test_its_activity_is_that_of_its_files() -> None:
    files = FakeFiles()
    activity = namespace(FakeKernel(), files).tcp_activity()
    idle = []
    for now, segments in enumerate((1, 1, 2, 2)):
        files.contents["net/snmp"] = table("Tcp", {"InSegs": segments}).encode()
        idle.append(activity.idle(float(now)))
    assert idle == [False, True, False, True]


def test_waits_at_several_ports_take_one_request() -> None:
    kernel = FakeKernel(waiting_row(80, 1500), waiting_row(81, 20), waiting_row(80, 3000), done())
    found = [
        (connection.local, connection.seconds) for connection in namespace(kernel).waiting_at({80, 81}).found
    ]
    assert found == [(endpoint(80), 1.5), (endpoint(81), 0.02), (endpoint(80), 3.0)]
    assert kernel.requests == [accept_wait.request_at_ports({80, 81})]
    assert kernel.all_closed()


def test_for_no_port_there_is_no_request() -> None:
    """The kernel would refuse an empty filter."""
    kernel = FakeKernel()
    assert namespace(kernel).waiting_at([]).found == []
    assert kernel.requests == []


@pytest.mark.parametrize("count", [socket_filter.MAX_PORTS, socket_filter.MAX_PORTS + 1, 65536])
def test_more_ports_than_one_filter_has_take_several_requests(count: int) -> None:
    kernel = FakeKernel(waiting_row(80, 1000), done())
    found = namespace(kernel).waiting_at(range(count)).found
    assert {connection.local for connection in found} == {endpoint(80)}
    expected = [
        accept_wait.request_at_ports(range(start, min(start + socket_filter.MAX_PORTS, count)))
        for start in range(0, count, socket_filter.MAX_PORTS)
    ]
    assert kernel.requests == expected


def test_waits_at_all_ports_take_one_request() -> None:
    kernel = FakeKernel(waiting_row(80, 1500) + done())
    (found,) = namespace(kernel).waiting_in({7, 9})
    assert (found.local, found.seconds) == (endpoint(80), 1.5)
    assert kernel.requests == [accept_wait.request_in_cgroups({7, 9})]


@pytest.mark.parametrize(
    ("reply", "waits"),
    [
        pytest.param(waiting_row(80, 3000), True, id="waiting"),
        pytest.param(inet_row(1, port=80, state=ESTABLISHED, attributes=tcp_info(9)), False, id="accepted"),
        pytest.param(inet_row(1, port=80, state=FIN_WAIT1, inode=0), False, id="closed"),
        pytest.param(error(-errno.ENOENT), False, id="gone"),
    ],
)
def test_a_connection_that_waited_is_looked_up(reply: bytes, waits: bool) -> None:  # noqa: FBT001
    (before,) = namespace(FakeKernel(waiting_row(80, 1500) + done())).waiting_at({80}).found
    kernel = FakeKernel(reply)
    found = namespace(kernel).still_waiting(before)
    assert found == (before._replace(seconds=3.0) if waits else None)
    assert kernel.requests == [accept_wait.request_one(before)]
    assert kernel.all_closed()


def ask_waits(asked: Namespace) -> object:
    return asked.waiting_at({80}).found


def ask_waits_everywhere(asked: Namespace) -> object:
    return asked.waiting_in(())


def ask_one_wait(asked: Namespace) -> object:
    (connection,) = namespace(FakeKernel(waiting_row(80, 1500) + done())).waiting_at({80}).found
    return asked.still_waiting(connection)


def ask_syn_recv(asked: Namespace) -> object:
    return asked.syn_recv(Method.SOCK_DIAG).read(0.0)


def ask_tcp(asked: Namespace) -> object:
    return asked.listeners(TCP, Method.SOCK_DIAG).read(0.0)


def ask_unix(asked: Namespace) -> object:
    return asked.listeners(UNIX, Method.SOCK_DIAG).read(0.0)


@pytest.mark.parametrize(
    "ask", [ask_waits, ask_waits_everywhere, ask_one_wait, ask_syn_recv, ask_tcp, ask_unix]
)
def test_an_error_that_is_kept_keeps_no_socket_open(ask: Callable[[Namespace], object]) -> None:
    """A source keeps its last error, and an error its frames."""
    kernel = FakeKernel(message(bytes(4)), tcp_row(1), done())
    with pytest.raises(MalformedReplyError) as kept:
        ask(namespace(kernel))
    assert kernel.all_closed()
    assert kept.value.reason == "malformed"


def test_mptcp_listeners_are_known_by_their_inodes() -> None:
    recording = recordings.load("mptcp_listeners")
    kernel = FakeKernel(*recording.datagrams)
    found = namespace(kernel).mptcp_inodes()
    assert len(found) == 1
    assert kernel.requests == [
        mptcp.request(socket.AF_INET),
        mptcp.request(socket.AF_INET6),
    ]


@pytest.mark.parametrize("reply", [done(-errno.ENOENT), error(-errno.EINVAL)])
def test_a_kernel_without_mptcp_has_no_such_listener(reply: bytes) -> None:
    kernel = FakeKernel(reply)
    assert namespace(kernel).mptcp_inodes() == frozenset()
    assert kernel.all_closed()


def test_counters_and_settings_are_those_of_its_files() -> None:
    contents = {
        "net/netstat": table("TcpExt", {"ListenDrops": 3}).encode(),
        "sys/net/core/somaxconn": b"99\n",
    }
    asked = namespace(FakeKernel(), FakeFiles({**contents}))
    assert asked.counters() == TcpCounters(None, 3, None, None, None, None, None)
    assert asked.sysctls().somaxconn == 99


def test_the_own_namespace_is_that_of_this_process() -> None:
    assert own_namespace().name == "host"
    assert own_namespace().files is OWN_PROCFS
    # What earlier tests left to the garbage collector must not be closed in between.
    gc.collect()
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208  (the names are all that is wanted)
    with own_namespace().sockets.borrow() as opened:
        assert opened.getpeername() == (0, 0)
    try:
        own_namespace().counters()
    except KernelError as error:
        pytest.fail(str(error))
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.netns
def test_waits_at_any_number_of_ports_are_found() -> None:
    with ExitStack() as stack:
        for port in (1, 30000, 65535):
            server = stack.enter_context(socket.create_server(("127.0.0.1", port)))
            stack.enter_context(socket.create_connection(server.getsockname()))
        assert own_namespace().waiting_at([]).found == []
        found = own_namespace().waiting_at(range(65536)).found
        assert {1, 30000, 65535} <= {connection.local.port for connection in found}


@pytest.mark.netns
def test_mptcp_listeners_have_the_inode_of_their_tcp_row() -> None:
    """So that rows of the plain dump can be marked."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, IPPROTO_MPTCP) as opened:
        opened.bind(("127.0.0.1", 8000))
        opened.listen()
        with socket.create_server(("127.0.0.1", 8001)):
            changes = own_namespace().listeners(TCP, Method.SOCK_DIAG).read(0.0)
            inodes = own_namespace().mptcp_inodes()
    assert [listener.port for listener, _ in changes.opened if listener.inode in inodes] == ["8000"]


@pytest.mark.netns
def test_without_a_free_descriptor_every_read_is_a_kernel_error() -> None:
    own = own_namespace()
    calls: list[Callable[[], object]] = [
        *(
            lambda family=family, method=method: own.listeners(family, method).read(0.0)
            for family in FAMILIES
            for method in (Method.AUTO, Method.PROCFS)
        ),
        lambda: own.syn_recv(Method.AUTO).read(0.0),
        lambda: own.syn_recv(Method.PROCFS).read(0.0),
        lambda: own.waiting_at([80]),
        lambda: own.waiting_in(()),
        lambda: ask_one_wait(own),
        own.mptcp_inodes,
        own.counters,
        own.sysctls,
        lambda: own.tcp_activity().idle(0.0),
        lambda: own.ref_counts().read(socket.AF_INET, 1),
    ]
    with no_free_descriptor():
        for call in calls:
            with pytest.raises(KernelError) as failed:
                call()
            assert (type(failed.value), failed.value.errno) == (KernelError, errno.EMFILE)


@pytest.mark.netns
@pytest.mark.parametrize("number", [errno.ENFILE, errno.ENOMEM])
def test_a_file_that_cannot_be_opened_now_is_a_kernel_error(number: int) -> None:
    own = own_namespace()
    seccomp.deny_call("openat", number)
    for call in (own.counters, own.sysctls, lambda: own.listeners(UNIX, Method.PROCFS).read(0.0)):
        with pytest.raises(KernelError) as failed:
            call()
        assert (type(failed.value), failed.value.errno) == (KernelError, number)
