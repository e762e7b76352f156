"""TCP listeners and half-open connections from net/tcp and net/tcp6."""

from __future__ import annotations

import ctypes
import errno
import socket
import struct
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError, MalformedReplyError, UnavailableError, UnimplementedError
from exporter.kernel.procfs.files import OWN_PROCFS, ProcfsFiles
from exporter.kernel.procfs.table import Found
from exporter.kernel.procfs.tcp import TcpTable, syn_recv
from exporter.kernel.records import Endpoint
from testbed import namespace
from tests.kernel.fake_kernel import FakeFiles
from tests.kernel.procfs_tree import GVISOR_COLUMNS, LINUX_COLUMNS, tcp_contents, tcp_line

SYN_RECV = 3
GOOD = tcp_line("127.0.0.1", 8000)
GOOD_BUT_UNFILLED = tcp_line("127.0.0.1", 8001, columns="{}")


def endpoint(address: str, port: int) -> Endpoint:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return Endpoint(family, socket.inet_pton(family, address), port, 0)


def files(lines: list[str], lines6: list[str] | None = None) -> FakeFiles:
    return FakeFiles(tcp_contents(lines, lines6))


def listeners(source: ProcfsFiles) -> list[Found]:
    return TcpTable().listeners(source)


def test_listeners_have_their_length_and_no_limit() -> None:
    found = listeners(
        files(
            [tcp_line("127.0.0.1", 8000, length=3, uid=1000, inode=77), tcp_line("0.0.0.0", 65535, inode=78)],
            [
                tcp_line("::", 1, inode=79),
                tcp_line("fe80::1", 443, length=0x1000, uid=4294967294, inode=80),
                tcp_line("::ffff:127.0.0.1", 8005, inode=81),
            ],
        )
    )
    assert [(listener.address, listener.port, reading.length) for listener, reading in found] == [
        ("127.0.0.1", "8000", 3),
        ("0.0.0.0", "65535", 0),
        ("::", "1", 0),
        ("fe80::1", "443", 0x1000),
        ("127.0.0.1", "8005", 0),
    ]
    assert [(listener.endpoint, listener.uid, listener.inode) for listener, _ in found] == [
        (endpoint("127.0.0.1", 8000), 1000, 77),
        (endpoint("0.0.0.0", 65535), 0, 78),
        (endpoint("::", 1), 0, 79),
        (endpoint("fe80::1", 443), 4294967294, 80),
        (endpoint("::ffff:127.0.0.1", 8005), 0, 81),
    ]
    assert {listener.v6only for listener, _ in found} == {None}
    for listener, reading in found:
        assert listener.cookie == reading.cookie == listener.inode
        assert (reading.limit, reading.drops) == (None, None)


def test_only_listening_sockets_are_listeners_and_only_syn_recv_ones_are_counted() -> None:
    every_state = files([tcp_line("127.0.0.1", state, state=state, inode=state) for state in range(1, 13)])
    assert [listener.inode for listener, _ in listeners(every_state)] == [10]
    assert syn_recv(every_state) == {endpoint("127.0.0.1", SYN_RECV): 1}


def test_syn_recv_connections_are_counted_by_endpoint() -> None:
    lines = [
        tcp_line("10.0.0.1", port, state=SYN_RECV, inode=0, peer_port=peer_port)
        for port, many in ((80, 3), (81, 1))
        for peer_port in range(many)
    ]
    lines6 = [
        tcp_line(address, 80, state=SYN_RECV, inode=0, peer_port=peer_port)
        for peer_port, address in enumerate(("::ffff:10.0.0.1", "fd00::1", "::ffff:10.0.0.1"))
    ]
    assert syn_recv(files([tcp_line("10.0.0.1", 80), *lines], lines6)) == {
        endpoint("10.0.0.1", 80): 3,
        endpoint("10.0.0.1", 81): 1,
        endpoint("::ffff:10.0.0.1", 80): 2,
        endpoint("fd00::1", 80): 1,
    }


def test_a_fast_open_connection_is_in_the_accept_queue_and_not_half_open() -> None:
    opened = tcp_line("10.0.0.1", 80, state=SYN_RECV, inode=0, peer_port=1, columns=LINUX_COLUMNS)
    assert syn_recv(files([tcp_line("10.0.0.1", 80, length=1), opened])) == {}


@pytest.mark.netns
def test_the_kernel_shows_a_fast_open_connection_as_such() -> None:
    # As client and server, without a cookie, of every listener (Documentation/networking/ip-sysctl.rst).
    namespace.write_sysctl("net.ipv4.tcp_fastopen", 0x1 | 0x2 | 0x4 | 0x200 | 0x400)
    # A filter that drops the SYN-ACK: SO_ATTACH_FILTER of socket(7), with a program that returns 0.
    drop = ctypes.create_string_buffer(struct.pack("=HBBI", 0x06, 0, 0, 0))
    program = struct.pack("@HP", 1, ctypes.addressof(drop))
    with (
        socket.create_server(("127.0.0.1", 80)) as server,
        socket.socket() as first,
        socket.socket() as second,
    ):
        for client in (first, second):
            client.setsockopt(socket.SOL_SOCKET, 26, program)
            client.settimeout(0)
        with suppress(BlockingIOError):
            first.sendto(b"x", socket.MSG_FASTOPEN, server.getsockname())
        second.connect_ex(server.getsockname())
        assert syn_recv(OWN_PROCFS) == {endpoint("127.0.0.1", 80): 1}
        assert [reading.length for _, reading in listeners(OWN_PROCFS)] == [1]


def test_a_row_that_the_kernel_shows_again_counts_once() -> None:
    rows = [tcp_line("10.0.0.1", 80, state=SYN_RECV, inode=0, peer_port=port) for port in (1, 2)]
    shared = [tcp_line("10.0.0.1", 80, inode=inode) for inode in (7, 8)]
    found = files([*shared, shared[1], *rows, *rows])
    assert syn_recv(found) == {endpoint("10.0.0.1", 80): 2}
    assert [listener.inode for listener, _ in listeners(found)] == [7, 8]


UNFILLED = pytest.mark.parametrize(
    "columns",
    [
        pytest.param(GVISOR_COLUMNS, id="gVisor"),
        pytest.param(" 1 0000000000000000 0 0 0 0 -1 7 8", id="more columns"),
        pytest.param(" 1 0000000000000000", id="no column of timeouts"),
        pytest.param("", id="no column behind the inode"),
    ],
)


@UNFILLED
def test_a_length_that_is_not_implemented_is_none_and_not_zero(columns: str) -> None:
    found = listeners(
        files(
            [tcp_line("127.0.0.1", 8000, inode=77, columns=columns)],
            [tcp_line("::", 8001, inode=78, columns=columns)],
        )
    )
    assert [(listener.port, listener.inode, reading.length) for listener, reading in found] == [
        ("8000", 77, None),
        ("8001", 78, None),
    ]


@UNFILLED
def test_a_length_that_is_shown_counts_whatever_else_is_missing(columns: str) -> None:
    ((_, reading),) = listeners(files([tcp_line("127.0.0.1", 8000, length=3, columns=columns)]))
    assert reading.length == 3


def test_columns_behind_those_of_today_change_nothing() -> None:
    line = tcp_line("127.0.0.1", 8000, length=0).rstrip() + " 5 new"
    ((_, reading),) = listeners(files([line]))
    assert reading.length == 0


@UNFILLED
def test_a_table_without_lengths_tells_nothing_of_half_open_connections(columns: str) -> None:
    """Else none would be shown where a flood may be under way."""
    established = tcp_line("127.0.0.1", 8000, state=1, columns=columns)
    for lines in ([GOOD_BUT_UNFILLED.format(columns)], [established, GOOD_BUT_UNFILLED.format(columns)]):
        with pytest.raises(UnimplementedError, match=r"/proc/net/tcp.*half-open"):
            syn_recv(files(lines))


def test_half_open_connections_that_are_shown_count_whatever_else_is_missing() -> None:
    rows = tcp_line("127.0.0.1", 8000, state=SYN_RECV)
    assert syn_recv(files([GOOD_BUT_UNFILLED.format(GVISOR_COLUMNS), rows])) == {
        endpoint("127.0.0.1", 8000): 1
    }


def test_one_listener_with_a_length_shows_that_the_table_is_filled_in() -> None:
    assert syn_recv(files([GOOD_BUT_UNFILLED.format(GVISOR_COLUMNS), GOOD])) == {}


def test_a_kernel_without_ipv6_has_ipv4_listeners() -> None:
    without_ipv6 = files([GOOD])
    assert len(listeners(without_ipv6)) == 1
    assert syn_recv(without_ipv6) == {}


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE])
def test_an_ipv6_file_that_cannot_be_read_is_an_error(number: int) -> None:
    contents = tcp_contents([GOOD]) | {"net/tcp6": OSError(number, "open")}
    with pytest.raises(KernelError) as failed:
        listeners(FakeFiles(contents))
    assert failed.value.errno == number


def test_a_file_with_nothing_but_its_title_is_empty() -> None:
    assert listeners(files([], [])) == []


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("", id="empty"),
        pytest.param("garbage", id="no line of this file"),
        pytest.param(GOOD.rstrip()[:60], id="cut off"),
        pytest.param(GOOD.replace("0100007F", "0100007f"), id="small letters"),
        pytest.param(GOOD.replace("0100007F", "0100007"), id="short address"),
        pytest.param(GOOD.replace(" 0A ", " A "), id="short state"),
        pytest.param(tcp_line("::1", 8000), id="an address of the other family"),
        pytest.param(GOOD.replace(" 1 1 ", f" {'1' * 5000} 1 "), id="an endless inode"),
        pytest.param(GOOD.replace(" 0A ", " 0A\x00"), id="NUL"),
    ],
)
def test_a_malformed_line_is_an_error_that_names_file_and_line(line: str) -> None:
    for read in (listeners, syn_recv):
        with pytest.raises(MalformedReplyError) as caught:
            read(files([GOOD, line, GOOD], []))
        assert "/proc/net/tcp" in str(caught.value)
        assert line.strip()[:20] in str(caught.value)


def test_a_malformed_line_of_tcp6_names_that_file() -> None:
    with pytest.raises(MalformedReplyError, match="net/tcp6"):
        listeners(files([GOOD], [GOOD]))


def test_a_missing_file_is_unavailable_and_named() -> None:
    for read in (listeners, syn_recv):
        with pytest.raises(UnavailableError, match="/proc/net/tcp") as missing:
            read(FakeFiles())
        assert missing.value.errno == errno.ENOENT


LINES = st.binary(max_size=60) | st.sampled_from(
    [GOOD, tcp_line("::1", 1), tcp_line("127.0.0.1", 1, state=SYN_RECV)]
).map(str.encode)


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """A file of good and bad lines, with a few of its bytes changed."""
    content = b"\n".join([b"title", *draw(st.lists(LINES, max_size=5))])
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(st.binary(max_size=3)) + content[at + draw(st.integers(0, 3)) :]


@given(contents(), contents())
@example(f"title\n{GOOD.replace(' 100 0 0', '100 0 0')}".encode(), b"title")
@settings(max_examples=300)
def test_any_content_is_read_or_malformed(ipv4: bytes, ipv6: bytes) -> None:
    source = FakeFiles({"net/tcp": ipv4, "net/tcp6": ipv6})
    try:
        found = [listener.endpoint for listener, _ in listeners(source)]
        endpoints = [*found, *syn_recv(source)]
    except (MalformedReplyError, UnimplementedError):
        return
    sizes = {socket.AF_INET: 4, socket.AF_INET6: 16}
    assert all(each and len(each.address) == sizes[socket.AddressFamily(each.family)] for each in endpoints)
