"""Reading listeners: what changed since the last read, by either method and over a change of it."""

from __future__ import annotations

import errno
import os
import socket
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from exporter.kernel.errors import MalformedReplyError, UnavailableError
from exporter.kernel.family import FAMILIES, TCP, UNIX, SocketFamily
from exporter.kernel.listener_reader import ListenerReader
from exporter.kernel.netns.namespace import own_namespace
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.procfs.table import Found, ProcfsTable
from exporter.kernel.records import UNCHANGED, Listener, Method, QueueReading
from exporter.kernel.sock_diag.syn_recv import REQUEST as SYN_RECV_REQUEST
from exporter.kernel.sock_diag.tcp import TcpRows
from testbed import programs, seccomp
from tests.kernel.datagrams import done, error, inet_row, tcp_row
from tests.kernel.fake_kernel import FakeFiles, FakeKernel
from tests.kernel.procfs_tree import unix_contents, unix_line

MINUTE = 60.0


class Table(ProcfsTable):
    """The listeners of /proc/net, by their inodes."""

    def __init__(self) -> None:
        self.inodes: list[int] = []

    def listeners(self, files: ProcfsFiles) -> list[Found]:
        """Return them without a look at the files."""
        assert isinstance(files, FakeFiles)
        return [
            (Listener(inode, inode, "127.0.0.1", "80"), QueueReading(inode, 0, None, None))
            for inode in self.inodes
        ]


class Host:
    """Listeners by the cookies of sock_diag and by the inodes of /proc, and a fault of sock_diag."""

    def __init__(self) -> None:
        self.kernel = FakeKernel(done())
        self.table = Table()
        self.family = replace(TCP, table=lambda: self.table)

    def sock_diag(self, *cookies: int) -> None:
        """Have a dump show these listeners."""
        self.kernel.datagrams = (*map(tcp_row, cookies), done())

    def break_sock_diag(self, reply: bytes) -> None:
        """Have a dump get this reply."""
        self.kernel.datagrams = (reply,)

    def reader(self, method: Method) -> ListenerReader:
        """Return a reader that has read nothing yet."""
        return ListenerReader(self.family, self.kernel, FakeFiles(), method)


MISSING = error(-errno.ENOENT)


@pytest.fixture
def host() -> Host:
    made = Host()
    made.sock_diag(1, 2)
    made.table.inodes = [11, 12]
    return made


def opened_and_closed(reader: ListenerReader, now: float) -> tuple[set[int], set[int]]:
    """Read, and return the cookies of what opened and of what closed."""
    changes = reader.read(now)
    return {listener.cookie for listener, _ in changes.opened}, set(changes.closed)


def test_listeners_are_read_by_sock_diag_where_it_is_available(host: Host) -> None:
    reader = host.reader(Method.AUTO)
    assert opened_and_closed(reader, 0.0) == ({1, 2}, set())
    assert reader.read(0.1) is UNCHANGED
    assert host.kernel.requests == [TCP.rows.requests[0]] * 2
    assert host.kernel.all_closed()


def test_a_change_to_procfs_closes_what_sock_diag_had_found(host: Host) -> None:
    """The two methods know a socket by different numbers."""
    reader = host.reader(Method.AUTO)
    reader.read(0.0)
    host.break_sock_diag(MISSING)
    assert opened_and_closed(reader, 0.1) == ({11, 12}, {1, 2})
    assert reader.read(0.2) is UNCHANGED


def test_a_change_to_sock_diag_closes_what_procfs_had_found(host: Host) -> None:
    host.break_sock_diag(MISSING)
    reader = host.reader(Method.AUTO)
    assert opened_and_closed(reader, 0.0) == ({11, 12}, set())
    host.sock_diag(1, 2)
    assert opened_and_closed(reader, MINUTE) == ({1, 2}, {11, 12})
    assert reader.read(MINUTE + 0.1) is UNCHANGED


def test_a_closed_listener_is_gone_with_the_next_read_where_reads_are_seconds_apart(host: Host) -> None:
    """Else what two dumps before had shown of it would be published for another interval."""
    reader = host.reader(Method.AUTO)
    reader.read(0.0)
    host.sock_diag(1)
    assert opened_and_closed(reader, 4.0) == (set(), {2})
    assert len(host.kernel.requests) == 3


def test_where_reads_are_close_together_a_listener_has_to_be_missing_in_two(host: Host) -> None:
    reader = host.reader(Method.AUTO)
    reader.read(0.0)
    host.sock_diag(1)
    assert opened_and_closed(reader, 0.05) == (set(), set())
    assert len(host.kernel.requests) == 2
    assert opened_and_closed(reader, 0.1) == (set(), {2})


def test_a_row_that_only_the_first_of_two_dumps_lacks_is_no_listener_that_closed(host: Host) -> None:
    reader = host.reader(Method.AUTO)
    reader.read(0.0)
    host.kernel.following = [(*map(tcp_row, [1, 3]), done()), (*map(tcp_row, [1, 2, 3]), done())]
    assert opened_and_closed(reader, 4.0) == ({3}, set())
    assert reader.read(4.05) is UNCHANGED


def test_where_the_second_of_two_dumps_fails_the_first_one_counts(host: Host) -> None:
    reader = host.reader(Method.SOCK_DIAG)
    reader.read(0.0)
    host.kernel.following = [(*map(tcp_row, [1, 3]), done()), (error(-errno.ENOBUFS),)]
    assert opened_and_closed(reader, 4.0) == ({3}, set())
    host.sock_diag(1, 3)
    assert opened_and_closed(reader, 4.05) == (set(), {2})


def test_what_the_second_of_two_dumps_opens_again_is_opened_once(host: Host) -> None:
    """Sockets that become other listeners between the two: one was new, one had changed before."""
    reader = host.reader(Method.AUTO)
    reader.read(0.0)
    ports = [{1: 81, 3: 80}, {1: 82, 3: 82, 4: 80}]
    dumps = [[inet_row(cookie, port=port) for cookie, port in each.items()] for each in ports]
    host.kernel.following = [(*rows, done()) for rows in dumps]
    changes = reader.read(4.0)
    assert sorted((listener.cookie, listener.port) for listener, _ in changes.opened) == [
        (1, "82"),
        (3, "82"),
        (4, "80"),
    ]
    assert (changes.updated, sorted(changes.closed)) == ((), [1, 2])


def test_over_several_changes_every_listener_is_open_once(host: Host) -> None:
    reader = host.reader(Method.AUTO)
    present: set[int] = set()
    for step in range(6):
        if step % 2:
            host.break_sock_diag(MISSING)
        else:
            host.sock_diag(1, 2)
        opened, closed = opened_and_closed(reader, step * MINUTE)
        assert closed <= present
        assert not opened & (present - closed)
        present = present - closed | opened
        assert present == ({11, 12} if step % 2 else {1, 2})


def test_a_listener_that_one_dump_lacked_is_closed_with_the_others(host: Host) -> None:
    reader = host.reader(Method.AUTO)
    reader.read(0.0)
    host.sock_diag(1)
    reader.read(0.1)
    host.break_sock_diag(MISSING)
    assert opened_and_closed(reader, 0.2) == ({11, 12}, {1, 2})


def test_another_setting_changes_the_method_and_loses_no_listener(host: Host) -> None:
    reader = host.reader(Method.AUTO)
    reader.read(0.0)
    reader.fallback.choose(Method.PROCFS)
    assert opened_and_closed(reader, 0.1) == ({11, 12}, {1, 2})


def test_with_sock_diag_alone_its_absence_is_raised_and_nothing_is_closed(host: Host) -> None:
    reader = host.reader(Method.SOCK_DIAG)
    reader.read(0.0)
    host.break_sock_diag(MISSING)
    for now in (0.1, MINUTE):
        with pytest.raises(UnavailableError):
            reader.read(now)
    host.sock_diag(1, 2)
    assert reader.read(MINUTE + 1) is UNCHANGED


def test_after_an_error_that_does_not_last_nothing_is_lost(host: Host) -> None:
    reader = host.reader(Method.AUTO)
    reader.read(0.0)
    host.break_sock_diag(b"short")
    with pytest.raises(MalformedReplyError):
        reader.read(0.1)
    host.sock_diag(1, 2)
    assert reader.read(0.2) is UNCHANGED


@pytest.mark.parametrize("method", [Method.AUTO, Method.PROCFS])
def test_a_family_that_proc_net_does_not_show_is_read_by_sock_diag_alone(host: Host, method: Method) -> None:
    host.family = replace(TCP, table=None)
    reader = host.reader(method)
    assert opened_and_closed(reader, 0.0) == ({1, 2}, set())
    host.break_sock_diag(MISSING)
    with pytest.raises(UnavailableError):
        reader.read(1.0)


class TwoRequests(TcpRows):
    """A family that is asked for by two requests."""

    requests = (*TcpRows.requests, SYN_RECV_REQUEST)


def test_a_family_may_take_several_requests(host: Host) -> None:
    host.family = replace(TCP, rows=TwoRequests())
    reader = host.reader(Method.SOCK_DIAG)
    assert opened_and_closed(reader, 0.0) == ({1, 2}, set())
    assert host.kernel.requests == [TCP.rows.requests[0], SYN_RECV_REQUEST]
    assert reader.read(0.1) is UNCHANGED
    assert host.kernel.all_closed()


@pytest.mark.netns
@pytest.mark.parametrize("number", [errno.EPERM, errno.EAFNOSUPPORT, errno.EACCES])
def test_where_a_filter_forbids_netlink_procfs_is_read(number: int) -> None:
    with socket.create_server(("127.0.0.1", 8000)):
        seccomp.deny_socket_family(socket.AF_NETLINK, number)
        reader = own_namespace().listeners(TCP, Method.AUTO)
        assert [listener.port for listener, _ in reader.read(0.0).opened] == ["8000"]
        assert reader.fallback.method is Method.PROCFS


@pytest.mark.netns
def test_both_methods_find_the_same_listeners(tmp_path: Path) -> None:
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
            by_sock_diag = identities(family, Method.SOCK_DIAG)
            assert len(by_sock_diag) == 2
            assert by_sock_diag == identities(family, Method.PROCFS)
        for family, lengths in ((TCP, {0, 1}), (UNIX, {None})):
            changes = own_namespace().listeners(family, Method.PROCFS).read(0.0)
            assert {reading.length for _, reading in changes.opened} == lengths


def identities(family: SocketFamily, method: Method) -> set[object]:
    changes = own_namespace().listeners(family, method).read(0.0)
    return {
        (listener.inode, listener.endpoint, listener.address, listener.port) for listener, _ in changes.opened
    }


def test_what_was_read_in_one_namespace_proves_nothing_in_another() -> None:
    """There the same line may be a part of a name."""
    other = unix_line(2, b"/b")
    forged = unix_line(8, b"\0a\n" + unix_line(9, b"/forged"))
    first, second = (
        ListenerReader(UNIX, FakeKernel(), FakeFiles(unix_contents(lines, len(lines))), Method.PROCFS)
        for lines in ([other], [forged, other])
    )
    assert [listener.address for listener, _ in first.read(0.0).opened] == ["/b"]
    with pytest.raises(MalformedReplyError):
        second.read(0.0)


@pytest.mark.netns
def test_the_names_of_interfaces_are_read_each_second() -> None:
    programs.output("ip", "link", "add", "old", "type", "veth", "peer", "name", "peer")
    with socket.create_server(("0.0.0.0", 80)) as bound, socket.create_server(("0.0.0.0", 81)):
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"old\0")
        reader = own_namespace().listeners(TCP, Method.AUTO)
        opened = {listener.port: listener for listener, _ in reader.read(10.0).opened}
        assert {port: listener.address for port, listener in opened.items()} == {
            "80": "0.0.0.0%old",
            "81": "0.0.0.0",
        }
        programs.output("ip", "link", "set", "old", "name", "new")
        assert reader.read(10.9) is UNCHANGED
        changes = reader.read(11.0)
        assert [listener.address for listener, _ in changes.opened] == ["0.0.0.0%new"]
        assert changes.closed == (opened["80"].cookie,)
        assert reader.read(12.0) is UNCHANGED


@pytest.mark.netns
def test_a_socket_that_becomes_another_listener_is_closed_and_opened() -> None:
    programs.output("ip", "link", "set", "lo", "up")
    with socket.socket() as unbound, socket.create_server(("127.0.0.1", 80)) as bound:
        unbound.listen()
        reader = own_namespace().listeners(TCP, Method.AUTO)
        before = {listener.inode: listener for listener, _ in reader.read(10.0).opened}
        unbound.shutdown(socket.SHUT_RDWR)
        unbound.listen()
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
        bound.setsockopt(socket.SOL_IP, 19, 1)  # IP_TRANSPARENT
        changes = reader.read(10.1)
        after = {listener.inode: listener for listener, _ in changes.opened}
        assert sorted(changes.closed) == sorted(listener.cookie for listener in before.values())
        assert before.keys() == after.keys()
        inode = os.fstat(unbound.fileno()).st_ino
        port = str(unbound.getsockname()[1])
        assert after[inode].port == port != before[inode].port
        assert after[os.fstat(bound.fileno()).st_ino].address == "127.0.0.1%lo"
        assert reader.read(10.2) is UNCHANGED
