"""What only a real kernel can confirm of a dump: errors, filters, sockets left open, strangers kept out."""

from __future__ import annotations

import errno
import random
import socket
import struct
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from exporter.kernel.errors import KernelError, UnavailableError
from exporter.kernel.family import FAMILIES, TCP
from exporter.kernel.netns.namespace import own_namespace
from exporter.kernel.records import Method
from exporter.kernel.sock_diag import accept_wait as waiting
from exporter.kernel.sock_diag import dump as netlink
from exporter.kernel.sock_diag import requests
from testbed import seccomp
from tests.kernel.datagrams import tcp_row

DCCPDIAG_GETSOCK = 19
NO_PROTOCOL = 8  # IPPROTO_EGP


def descriptors() -> set[str]:
    return {path.name for path in Path("/proc/self/fd").iterdir()}


def of_kind(kind: int) -> bytes:
    """The request for listeners as another type of message."""
    return requests.TCP_LISTENERS[:4] + struct.pack("=H", kind) + requests.TCP_LISTENERS[6:]


@pytest.mark.netns
@pytest.mark.parametrize(
    "request_bytes",
    [
        pytest.param(of_kind(DCCPDIAG_GETSOCK), id="the type of a protocol that is gone"),
        pytest.param(
            requests.mptcp_listeners(socket.AF_INET)[:-4] + struct.pack("=I", NO_PROTOCOL), id="EGP"
        ),
        pytest.param(requests.mptcp_listeners(0), id="no address family"),
        pytest.param(requests.mptcp_listeners(44), id="an unknown address family"),
        pytest.param(requests.waiting([]), id="an empty filter"),
    ],
)
def test_a_question_without_a_handler_is_no_empty_answer(request_bytes: bytes) -> None:
    with pytest.raises(UnavailableError):
        list(netlink.dump(request_bytes))


@pytest.mark.netns
def test_no_way_to_end_a_dump_leaves_a_descriptor() -> None:
    with ExitStack() as stack:
        for port in range(8000, 8300):
            stack.enter_context(socket.create_server(("127.0.0.1", port)))
        before = descriptors()
        assert len(list(netlink.dump(requests.TCP_LISTENERS))) > 1
        for _ in netlink.dump(requests.TCP_LISTENERS):
            break
        abandoned = netlink.dump(requests.TCP_LISTENERS)
        next(abandoned)
        assert len(descriptors()) == len(before) + 1
        del abandoned
        for request in (requests.mptcp_listeners(0), of_kind(DCCPDIAG_GETSOCK)):
            with pytest.raises(KernelError):
                list(netlink.dump(request))
        assert descriptors() == before
        assert len(list(netlink.dump(requests.TCP_LISTENERS))) > 1


@pytest.mark.netns
@pytest.mark.parametrize("count", [1, 2, 500, requests.MOST_PORTS])
def test_the_kernel_takes_the_filter_and_lets_the_same_ports_through(count: int) -> None:
    with ExitStack() as stack:
        listening = range(20000, 20040)
        for port in listening:
            server = stack.enter_context(socket.create_server(("127.0.0.1", port)))
            stack.enter_context(socket.create_connection(server.getsockname()))
        for _ in range(5):
            asked = random.sample(listening, min(count, 20))
            asked += random.sample(range(1, 20000), count - len(asked))
            found = waiting.oldest(netlink.dump(requests.waiting(asked)))
            assert {endpoint.port for endpoint in found} == set(asked) & set(listening)


@pytest.mark.netns
def test_waits_are_found_at_any_number_of_ports() -> None:
    with ExitStack() as stack:
        for port in (1, 30000, 65535):
            server = stack.enter_context(socket.create_server(("127.0.0.1", port)))
            stack.enter_context(socket.create_connection(server.getsockname()))
        assert own_namespace().oldest_waits([]) == {}
        found = own_namespace().oldest_waits(range(65536))
        assert {1, 30000, 65535} <= {endpoint.port for endpoint in found}


@pytest.mark.netns
def test_a_stranger_cannot_reach_the_socket_of_a_dump() -> None:
    """Without connect() one with CAP_NET_ADMIN over the namespace could write into it."""
    with netlink.connect() as ours, socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4) as stranger:
        ours.settimeout(0)
        port = ours.getsockname()[0]
        for _ in range(100):
            with pytest.raises(ConnectionRefusedError):
                stranger.sendto(tcp_row(1), (port, 0))
        with pytest.raises(BlockingIOError):
            ours.recv(65536)


@pytest.mark.netns
def test_a_kernel_that_says_nothing_is_waited_for_no_longer_than_a_second() -> None:
    started = time.monotonic()
    with netlink.connect() as ours, pytest.raises(BlockingIOError):
        ours.recv(65536)
    assert 0.9 < time.monotonic() - started < 4


@pytest.mark.netns
@pytest.mark.parametrize("number", [errno.EPERM, errno.EAFNOSUPPORT, errno.EACCES])
def test_a_filter_that_forbids_netlink_sends_the_readers_to_proc(number: int) -> None:
    with socket.create_server(("127.0.0.1", 8000)):
        seccomp.deny_socket_family(socket.AF_NETLINK, number)
        with pytest.raises(UnavailableError) as caught:
            netlink.connect()
        assert caught.value.reason == errno.errorcode[number]
        reader = own_namespace().listeners(TCP, Method.AUTO)
        assert [listener.endpoint.port for listener, _ in reader.read(0.0).opened if listener.endpoint] == [
            8000
        ]
        assert reader.fallback.method is Method.PROCFS


@pytest.mark.netns
def test_both_ways_find_the_same_listeners(tmp_path: Path) -> None:
    with ExitStack() as stack:
        dual = socket.create_server(("::", 8001), family=socket.AF_INET6, dualstack_ipv6=True)
        stack.enter_context(dual)
        queued = stack.enter_context(socket.create_server(("127.0.0.1", 8000)))
        stack.enter_context(socket.create_connection(queued.getsockname()))
        for name in (bytes(tmp_path / "new\nline"), b"\0abstract"):
            unix = stack.enter_context(socket.socket(socket.AF_UNIX))
            unix.bind(name)
            unix.listen(3)
        for family in FAMILIES:
            by_diag, by_proc = (
                {
                    (listener.inode, listener.endpoint, listener.name)
                    for listener, _ in own_namespace().listeners(family, method).read(0.0).opened
                }
                for method in (Method.SOCK_DIAG, Method.PROCFS)
            )
            assert len(by_diag) == 2
            assert by_diag == by_proc
        lengths = {
            reading.length for _, reading in own_namespace().listeners(TCP, Method.PROCFS).read(0.0).opened
        }
        assert lengths == {0, 1}


@pytest.mark.netns
def test_mptcp_listeners_are_known_by_the_inode_of_their_tcp_row() -> None:
    """Which is what the answer is for: to mark rows of the plain dump."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262) as opened:
        opened.bind(("127.0.0.1", 8000))
        opened.listen()
        with socket.create_server(("127.0.0.1", 8001)):
            changes = own_namespace().listeners(TCP, Method.SOCK_DIAG).read(0.0)
        ports = {
            listener.endpoint.port
            for listener, _ in changes.opened
            if listener.endpoint and listener.inode in own_namespace().mptcp_inodes()
        }
    assert ports == {8000}
