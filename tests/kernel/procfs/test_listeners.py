"""Listeners and half-open connections from the files of /proc/net."""

from __future__ import annotations

import errno
import socket
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.kernel.errors import KernelError, MalformedReplyError, UnavailableError
from exporter.kernel.procfs import listeners as procfs
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.procfs.listeners import Found, ProcfsComparison
from exporter.kernel.records import UNCHANGED, Endpoint, Listener, QueueReading
from tests.kernel.procfs_tree import LISTENING, put, tcp_files, tcp_line, unix_file, unix_line

ESTABLISHED, SYN_RECV = 1, 3


def endpoint(address: str, port: int) -> Endpoint:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return Endpoint(family, socket.inet_pton(family, address), port, 0)


def test_tcp_listeners_have_their_length_and_no_limit(tmp_path: Path) -> None:
    tcp_files(
        tmp_path,
        [tcp_line("127.0.0.1", 8000, length=3, uid=1000, inode=77), tcp_line("0.0.0.0", 65535, inode=78)],
        [tcp_line("::", 1, inode=79), tcp_line("fe80::1", 443, length=0x1000, uid=4294967294, inode=80)],
    )
    found = procfs.tcp_listeners(ProcfsFiles.at(tmp_path))
    assert [
        (listener.endpoint, reading.length, listener.uid, listener.inode) for listener, reading in found
    ] == [
        (endpoint("127.0.0.1", 8000), 3, 1000, 77),
        (endpoint("0.0.0.0", 65535), 0, 0, 78),
        (endpoint("::", 1), 0, 0, 79),
        (endpoint("fe80::1", 443), 0x1000, 4294967294, 80),
    ]
    for listener, reading in found:
        assert listener.cookie == reading.cookie == listener.inode
        assert (reading.limit, reading.drops) == (None, None)


def test_only_listening_sockets_are_listeners_and_only_syn_recv_ones_are_counted(tmp_path: Path) -> None:
    states = [*range(1, 13)]
    tcp_files(tmp_path, [tcp_line("127.0.0.1", state, state=state, inode=state) for state in states], [])
    assert [listener.inode for listener, _ in procfs.tcp_listeners(ProcfsFiles.at(tmp_path))] == [10]
    assert procfs.syn_recv(ProcfsFiles.at(tmp_path)) == {endpoint("127.0.0.1", SYN_RECV): 1}


def test_syn_recv_connections_are_counted_by_endpoint(tmp_path: Path) -> None:
    half = [
        tcp_line("10.0.0.1", port, state=SYN_RECV, inode=0)
        for port, many in ((80, 3), (81, 1))
        for _ in range(many)
    ]
    half6 = [
        tcp_line(address, 80, state=SYN_RECV, inode=0)
        for address in ("::ffff:10.0.0.1", "fd00::1", "::ffff:10.0.0.1")
    ]
    tcp_files(tmp_path, [tcp_line("10.0.0.1", 80), *half], half6)
    assert procfs.syn_recv(ProcfsFiles.at(tmp_path)) == {
        endpoint("10.0.0.1", 80): 3,
        endpoint("10.0.0.1", 81): 1,
        endpoint("::ffff:10.0.0.1", 80): 2,
        endpoint("fd00::1", 80): 1,
    }


def test_a_kernel_without_ipv6_has_ipv4_listeners(tmp_path: Path) -> None:
    tcp_files(tmp_path, [tcp_line("127.0.0.1", 8000)], None)
    assert len(procfs.tcp_listeners(ProcfsFiles.at(tmp_path))) == 1
    assert procfs.syn_recv(ProcfsFiles.at(tmp_path)) == {}


def test_a_file_with_nothing_but_its_title_is_empty(tmp_path: Path) -> None:
    tcp_files(tmp_path, [], [])
    unix_file(tmp_path, [])
    assert procfs.tcp_listeners(ProcfsFiles.at(tmp_path)) == []
    assert procfs.unix_listeners(ProcfsFiles.at(tmp_path)) == []


GOOD = tcp_line("127.0.0.1", 8000)


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
def test_a_malformed_line_of_tcp_is_an_error_that_names_file_and_line(tmp_path: Path, line: str) -> None:
    tcp_files(tmp_path, [GOOD, line, GOOD], [])
    for read in (procfs.tcp_listeners, procfs.syn_recv):
        with pytest.raises(MalformedReplyError) as caught:
            read(ProcfsFiles.at(tmp_path))
        assert "/proc/net/tcp" in str(caught.value)
        assert line.strip()[:20] in str(caught.value)


def test_a_malformed_line_of_tcp6_names_that_file(tmp_path: Path) -> None:
    tcp_files(tmp_path, [GOOD], [GOOD])
    with pytest.raises(MalformedReplyError, match="net/tcp6"):
        procfs.tcp_listeners(ProcfsFiles.at(tmp_path))


@pytest.mark.parametrize("read", [procfs.tcp_listeners, procfs.syn_recv, procfs.unix_listeners])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, read: object) -> None:
    assert callable(read)
    with pytest.raises(UnavailableError) as caught:
        read(ProcfsFiles.at(tmp_path))
    assert "/proc/net/" in str(caught.value)
    assert caught.value.reason == errno.errorcode[errno.ENOENT]


NAMES = [
    b"/run/a.sock",
    b"relative",
    b"\0abstract",
    b"\0",
    b"a b",
    b"/new\nline",
    b"\n",
    b"x\n\n",
    b"\xff\xfe",
]


def named(found: list[Found]) -> list[tuple[int, bytes]]:
    return [(listener.inode, listener.name) for listener, _ in found]


def test_unix_listeners_are_known_to_exist_and_no_more(tmp_path: Path) -> None:
    unix_file(tmp_path, [unix_line(inode, name) for inode, name in enumerate(NAMES, 1)])
    found = procfs.unix_listeners(ProcfsFiles.at(tmp_path))
    assert named(found) == list(enumerate(NAMES, 1))
    for listener, reading in found:
        assert reading == QueueReading(listener.inode, None, None, None)


def test_unix_sockets_that_do_not_listen_are_left_out(tmp_path: Path) -> None:
    unix_file(
        tmp_path,
        [
            unix_line(1, flags=0),
            unix_line(2, b"/a", flags=0),
            unix_line(3, b"/b"),
            unix_line(4, flags=0),
            unix_line(1234567, b"/c", flags=LISTENING | 1),
        ],
    )
    assert named(procfs.unix_listeners(ProcfsFiles.at(tmp_path))) == [(3, b"/b"), (1234567, b"/c")]


SHOWN_NAMES = st.binary(max_size=40).filter(lambda name: name[1:].count(b"\0") == 0 and name[:1] != b"@")


@given(st.lists(st.tuples(SHOWN_NAMES, st.sampled_from([0, LISTENING])), max_size=6))
@example([(b"\n", LISTENING), (b"a\n", LISTENING), (b"", 0)])
def test_any_name_is_read_as_it_was_printed(sockets: list[tuple[bytes, int]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        lines = [unix_line(inode, name, flags=flags) for inode, (name, flags) in enumerate(sockets, 1)]
        unix_file(Path(folder), lines)
        expected = [(inode, name) for inode, (name, flags) in enumerate(sockets, 1) if flags]
        assert named(procfs.unix_listeners(ProcfsFiles.at(Path(folder)))) == expected


@pytest.mark.parametrize(
    "lines",
    [
        pytest.param([b"garbage"], id="alone"),
        pytest.param([b"garbage", unix_line(1, b"/a")], id="before the first"),
        pytest.param([unix_line(1), b"garbage", unix_line(2, b"/a")], id="behind one without a name"),
        pytest.param([unix_line(1), b"garbage"], id="at the end"),
        pytest.param([b"", unix_line(1, b"/a")], id="an empty line"),
        pytest.param([unix_line(77777, b"/a").replace(b"77777", b"7" * 5000)], id="an endless inode"),
    ],
)
def test_a_malformed_line_of_unix_is_an_error_that_names_the_file(tmp_path: Path, lines: list[bytes]) -> None:
    """Behind a name it cannot be told from a name that goes on."""
    unix_file(tmp_path, lines)
    with pytest.raises(MalformedReplyError) as caught:
        procfs.unix_listeners(ProcfsFiles.at(tmp_path))
    assert "/proc/net/unix" in str(caught.value)


TCP_LINES = st.sampled_from([GOOD, tcp_line("::1", 1), tcp_line("127.0.0.1", 1, state=SYN_RECV)])
LINES = (
    st.binary(max_size=60) | TCP_LINES.map(str.encode) | st.builds(unix_line, st.integers(0, 9), SHOWN_NAMES)
)


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    content = b"\n".join([b"title", *draw(st.lists(LINES, max_size=5))])
    at = draw(st.integers(0, len(content)))
    return content[:at] + draw(st.binary(max_size=3)) + content[at + draw(st.integers(0, 3)) :]


@given(contents(), contents(), contents())
@settings(max_examples=300)
def test_files_with_anything_in_them_are_read_or_refused(tcp: bytes, tcp6: bytes, unix: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for name, content in (("net/tcp", tcp), ("net/tcp6", tcp6), ("net/unix", unix)):
            put(root, name, content)
        for read in (procfs.tcp_listeners, procfs.syn_recv, procfs.unix_listeners):
            try:
                found = read(ProcfsFiles.at(root))
            except KernelError:
                continue
            places = [entry if isinstance(entry, Endpoint) else entry[0].endpoint for entry in found]
            sizes = {socket.AF_INET: 4, socket.AF_INET6: 16}
            assert all(len(place.address) == sizes[place.family] for place in places if place)  # type: ignore[index]


def row(inode: int, length: int | None = 0) -> Found:
    return Listener(inode, inode), QueueReading(inode, length, None, None)


def test_a_watch_of_proc_tells_of_each_change_once() -> None:
    watch = ProcfsComparison()
    assert [pair[0].inode for pair in watch.update([row(1), row(2)]).opened] == [1, 2]
    assert watch.update([row(2), row(1)]) is UNCHANGED
    changes = watch.update([row(1, 5), row(3)])
    assert [listener.inode for listener, _ in changes.opened] == [3]
    assert changes.updated == (QueueReading(1, 5, None, None),)
    assert changes.closed == (2,)
    assert watch.update([row(1, 5), row(3)]) is UNCHANGED
    assert set(watch.update([]).closed) == {1, 3}
    assert watch.update([]) is UNCHANGED
