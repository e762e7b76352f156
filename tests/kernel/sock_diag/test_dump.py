"""A dump: what of the kernel's reply comes out, what is raised, and that the socket never stays open."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import RunError
from exporter.kernel.errors import (
    ForeignDatagramError,
    KernelError,
    MalformedReplyError,
    UnavailableError,
)
from exporter.kernel.sock_diag import dump as netlink
from exporter.kernel.sock_diag import requests
from exporter.kernel.sock_diag import tcp as inet
from exporter.kernel.sock_diag.messages import messages
from tests.kernel import recordings
from tests.kernel.datagrams import (
    NLMSG_NOOP,
    SEQUENCE,
    datagram,
    done,
    error,
    message,
    tcp_row,
)
from tests.kernel.fake_kernel import FakeKernel

ROW = tcp_row(1)
OTHER = tcp_row(2)


def dumped(kernel: FakeKernel) -> list[bytes]:
    return list(netlink.dump(requests.TCP_LISTENERS, kernel.connect))


def raised(kernel: FakeKernel) -> KernelError:
    """The error of a dump, which must have closed its socket."""
    with pytest.raises(KernelError) as caught:
        dumped(kernel)
    assert kernel.all_closed()
    return caught.value


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param([done()], [], id="alone"),
        pytest.param([ROW, done()], [ROW], id="in a datagram of its own"),
        pytest.param([ROW + done()], [ROW], id="behind a row"),
        pytest.param([ROW, OTHER + ROW + done()], [ROW, OTHER + ROW], id="behind the last of many rows"),
        pytest.param([ROW, OTHER, ROW, done()], [ROW, OTHER, ROW], id="after many datagrams"),
    ],
)
def test_the_closing_message_is_taken_off_wherever_it_stands(
    reply: list[bytes], expected: list[bytes]
) -> None:
    kernel = FakeKernel(*reply)
    assert dumped(kernel) == expected
    assert kernel.all_closed()


@pytest.mark.parametrize("name", recordings.names())
def test_a_recorded_reply_comes_out_whole_but_for_its_closing_message(name: str) -> None:
    recording = recordings.load(name)
    kernel = FakeKernel(*recording.datagrams, port=recording.port_id)
    if name.startswith("error"):
        assert isinstance(raised(kernel), UnavailableError)
    else:
        assert dumped(kernel) == list(recording.datagrams[:-1])


@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), max_size=4), st.booleans())
def test_rows_come_out_as_they_were_sent_however_they_were_packed(
    packed: list[list[int]],
    appended: bool,  # noqa: FBT001
) -> None:
    sent = [datagram(tcp_row(cookie, drops=cookie) for cookie in cookies) for cookies in packed]
    reply = [*sent[:-1], sent[-1] + done()] if appended and sent else [*sent, done()]
    assert dumped(FakeKernel(*reply)) == sent


def test_the_request_is_sent_as_it_is_and_once() -> None:
    kernel = FakeKernel(done())
    dumped(kernel)
    assert kernel.requests == [requests.TCP_LISTENERS]


@pytest.mark.parametrize("reply", [[error(-errno.ENOBUFS, b"request")], [done(-errno.ENOBUFS)]])
def test_an_error_is_raised_from_its_own_message_and_from_the_closing_one(reply: list[bytes]) -> None:
    found = raised(FakeKernel(*reply))
    assert found.reason == "ENOBUFS"
    assert not isinstance(found, UnavailableError)


def test_an_error_behind_rows_is_raised_after_them() -> None:
    kernel = FakeKernel(ROW + OTHER + done(-errno.ENOMEM))
    assert raised(kernel).reason == "ENOMEM"
    kernel = FakeKernel(ROW, done(-errno.ENOMEM))
    dump = netlink.dump(requests.TCP_LISTENERS, kernel.connect)
    assert next(dump) == ROW
    with pytest.raises(KernelError, match="ENOMEM"):
        next(dump)
    assert kernel.all_closed()


def test_a_status_above_zero_is_no_error() -> None:
    assert dumped(FakeKernel(ROW, done(7))) == [ROW]


@pytest.mark.parametrize(
    "number",
    [errno.ENOENT, errno.EINVAL, errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT],
)
@pytest.mark.parametrize("answer", [done, error])
def test_an_interface_that_is_not_there_is_told_apart(number: int, answer: Callable[[int], bytes]) -> None:
    found = raised(FakeKernel(answer(-number)))
    assert isinstance(found, UnavailableError)
    assert found.reason == errno.errorcode[number]


@pytest.mark.parametrize("status", [-(2**31), -4095, -200])
def test_an_error_number_that_nobody_knows_is_still_an_error_of_the_kernel(status: int) -> None:
    for answer in (done(status), error(status)):
        assert raised(FakeKernel(answer)).reason == f"errno_{-status}"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(b"", id="empty"),
        pytest.param(ROW[:19], id="shorter than any answer"),
        pytest.param(message(b"", kind=NLMSG_NOOP), id="a header and nothing else"),
        pytest.param(message(bytes(72), sequence=SEQUENCE + 1), id="another sequence"),
        pytest.param(done(sequence=0), id="the end of another dump"),
        pytest.param(error(-errno.ENOENT, sequence=SEQUENCE + 1), id="an error for somebody else"),
    ],
)
def test_what_was_not_asked_for_is_refused(fault: bytes) -> None:
    assert isinstance(raised(FakeKernel(fault, done())), MalformedReplyError)
    assert isinstance(raised(FakeKernel(ROW, fault, done())), MalformedReplyError)


@pytest.mark.parametrize(
    "ending",
    [
        pytest.param(done(sequence=SEQUENCE + 1), id="another sequence"),
        pytest.param(b"\x18" + done()[1:], id="another length"),
        pytest.param(message(bytes(4)), id="another type"),
    ],
)
def test_rows_that_end_almost_like_a_dump_stay_rows(ending: bytes) -> None:
    assert dumped(FakeKernel(ROW + ending, done())) == [ROW + ending]


@pytest.mark.parametrize("reply", [ROW, done(), error(-errno.ENOENT)])
def test_another_process_is_never_taken_for_the_kernel(reply: bytes) -> None:
    found = raised(FakeKernel(reply, sender=1234))
    assert isinstance(found, ForeignDatagramError)
    assert "1234" in str(found)


@pytest.mark.parametrize("reply", [[], [ROW]])
def test_a_dump_that_falls_silent_is_given_up(reply: list[bytes]) -> None:
    assert raised(FakeKernel(*reply)).reason == "EAGAIN"


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.EINTR, errno.EBADF])
def test_a_socket_that_fails_is_an_error_of_the_kernel(number: int) -> None:
    assert raised(FakeKernel(ROW, OSError(number, "receive"))).reason == errno.errorcode[number]


def test_a_socket_that_cannot_be_opened_is_nothing_to_close() -> None:
    def refused() -> socket.socket:
        raise UnavailableError("cannot open a sock_diag socket", "EACCES")

    with pytest.raises(UnavailableError):
        list(netlink.dump(requests.TCP_LISTENERS, refused))


def test_nothing_is_opened_before_the_first_datagram_is_wanted() -> None:
    kernel = FakeKernel(ROW, done())
    netlink.dump(requests.TCP_LISTENERS, kernel.connect)
    assert kernel.sockets == []


def test_the_socket_is_closed_when_the_reader_stops_half_way() -> None:
    kernel = FakeKernel(ROW, ROW, ROW, done())
    dump = netlink.dump(requests.TCP_LISTENERS, kernel.connect)
    next(dump)
    assert not kernel.all_closed()
    del dump
    assert kernel.all_closed()
    assert kernel.sockets[0].received == 1


def test_an_error_of_the_kernel_says_what_was_asked_and_what_the_kernel_said() -> None:
    found = raised(FakeKernel(done(-errno.ENOENT)))
    assert isinstance(found, RunError)
    assert str(found) == "sock_diag dump failed: ENOENT"
    assert found.__notes__ == ["No such file or directory"]


def diag() -> socket.socket:
    """A socket that anybody may send to."""
    opened = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, netlink.NETLINK_SOCK_DIAG)
    opened.bind((0, 0))
    return opened


def listened_on(channel: socket.socket) -> list[int]:
    """The ports in a dump over this socket."""
    rows = (row for part in netlink.dump(requests.TCP_LISTENERS, lambda: channel) for row in messages(part))
    found = [inet.listener(row).endpoint for row in rows]
    return sorted(endpoint.port for endpoint in found if endpoint is not None)


@pytest.mark.netns
@pytest.mark.parametrize("count", [0, 1, 20])
def test_what_others_sent_before_is_counted_and_never_taken_for_a_reply(count: int) -> None:
    foreign_datagrams = netlink.ForeignDatagrams()
    with socket.create_server(("127.0.0.1", 80)), diag() as channel, diag() as forger:
        for _ in range(count):
            forger.sendto(ROW + done(), channel.getsockname())
        netlink.accept_kernel_only(channel, foreign_datagrams)
        assert foreign_datagrams.datagrams == count
        with pytest.raises(ConnectionRefusedError):
            forger.sendto(ROW + done(), channel.getsockname())
        assert listened_on(channel) == [80]
    assert foreign_datagrams.datagrams == count


@pytest.mark.netns
def test_a_flood_that_was_more_than_the_buffer_holds_is_counted_and_done_with() -> None:
    foreign_datagrams = netlink.ForeignDatagrams()
    with socket.create_server(("127.0.0.1", 80)), diag() as channel, diag() as forger:
        forger.settimeout(0)
        channel.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8192)
        sent, lost = 0, 0
        for _ in range(200):
            try:
                forger.sendto(ROW, channel.getsockname())
                sent += 1
            except OSError:
                lost += 1
        assert sent
        assert lost
        netlink.accept_kernel_only(channel, foreign_datagrams)
        assert sent <= foreign_datagrams.datagrams <= sent + lost
        assert listened_on(channel) == [80]


def test_a_buffer_that_overflowed_counts_and_any_other_error_is_raised() -> None:
    class Flooded(socket.socket):
        errors: ClassVar = [errno.ENOBUFS, errno.ENOBUFS, errno.EIO]

        def connect(self, _address: object) -> None:
            """Be connected."""

        def recv(self, _size: int, _flags: int = 0) -> bytes:
            """Fail in this way and that."""
            number = self.errors.pop(0)
            raise OSError(number, "receive")

    foreign_datagrams = netlink.ForeignDatagrams()
    with (
        Flooded(socket.AF_NETLINK, socket.SOCK_RAW) as channel,
        pytest.raises(OSError, match="receive") as raised,
    ):
        netlink.accept_kernel_only(channel, foreign_datagrams)
    assert raised.value.errno == errno.EIO
    assert foreign_datagrams.datagrams == 2


@pytest.mark.netns
def test_a_socket_of_the_own_namespace_hears_nobody_but_the_kernel() -> None:
    with netlink.connect() as channel, diag() as forger:
        with pytest.raises(ConnectionRefusedError):
            forger.sendto(ROW, channel.getsockname())
        assert listened_on(channel) == []
