"""A dump: which datagrams it yields, which errors it raises, and that its socket never stays open."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable

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
from exporter.kernel.family import TCP
from exporter.kernel.sock_diag.diag_socket import DiagSockets
from exporter.kernel.sock_diag.dump import RepeatedDump, dump
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

REQUEST = TCP.rows.requests[0]
ROW = tcp_row(1)
OTHER = tcp_row(2)


def dumped(kernel: FakeKernel) -> list[bytes]:
    return list(dump(REQUEST, kernel))


def raised(kernel: FakeKernel) -> KernelError:
    """Return the error of a dump, which must have closed its socket."""
    with pytest.raises(KernelError) as caught:
        dumped(kernel)
    assert kernel.all_closed()
    return caught.value


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param([done()], [], id="alone"),
        pytest.param([ROW, done()], [ROW], id="in a datagram of its own"),
        pytest.param([ROW + done()], [ROW], id="after a row"),
        pytest.param([ROW, OTHER + ROW + done()], [ROW, OTHER + ROW], id="after the last of many rows"),
        pytest.param([ROW, OTHER, ROW, done()], [ROW, OTHER, ROW], id="after many datagrams"),
    ],
)
def test_the_closing_message_is_taken_off_at_any_position(reply: list[bytes], expected: list[bytes]) -> None:
    kernel = FakeKernel(*reply)
    assert dumped(kernel) == expected
    assert kernel.all_closed()


@pytest.mark.parametrize("name", recordings.names())
def test_a_recorded_reply_is_yielded_without_its_closing_message(name: str) -> None:
    recording = recordings.load(name)
    kernel = FakeKernel(*recording.datagrams)
    if recordings.case_of(name).startswith("error"):
        assert isinstance(raised(kernel), UnavailableError)
    else:
        assert dumped(kernel) == list(recording.datagrams[:-1])


@given(st.lists(st.lists(st.integers(1, 5), min_size=1, max_size=4), max_size=4), st.booleans())
def test_rows_are_yielded_as_they_were_sent_however_they_were_packed(
    packed: list[list[int]],
    appended: bool,  # noqa: FBT001
) -> None:
    sent = [datagram(tcp_row(cookie, drops=cookie) for cookie in cookies) for cookies in packed]
    reply = [*sent[:-1], sent[-1] + done()] if appended and sent else [*sent, done()]
    assert dumped(FakeKernel(*reply)) == sent


def test_the_request_is_sent_as_it_is_and_once() -> None:
    kernel = FakeKernel(done())
    dumped(kernel)
    assert kernel.requests == [REQUEST]


@pytest.mark.parametrize("reply", [[error(-errno.ENOBUFS, b"request")], [done(-errno.ENOBUFS)]])
def test_an_error_is_raised_from_its_own_message_and_from_the_closing_one(reply: list[bytes]) -> None:
    found = raised(FakeKernel(*reply))
    assert found.reason == "ENOBUFS"
    assert not isinstance(found, UnavailableError)


def test_an_error_after_rows_is_raised_after_them() -> None:
    kernel = FakeKernel(ROW + OTHER + done(-errno.ENOMEM))
    assert raised(kernel).reason == "ENOMEM"
    kernel = FakeKernel(ROW, done(-errno.ENOMEM))
    datagrams = dump(REQUEST, kernel)
    assert next(datagrams) == ROW
    with pytest.raises(KernelError, match="ENOMEM"):
        next(datagrams)
    assert kernel.all_closed()


def test_a_status_above_zero_is_no_error() -> None:
    assert dumped(FakeKernel(ROW, done(7))) == [ROW]


@pytest.mark.parametrize(
    "number",
    [errno.ENOENT, errno.EINVAL, errno.EPERM, errno.EACCES, errno.EAFNOSUPPORT, errno.EPROTONOSUPPORT],
)
@pytest.mark.parametrize("answer", [done, error])
def test_an_interface_that_is_not_there_is_unavailable(number: int, answer: Callable[[int], bytes]) -> None:
    found = raised(FakeKernel(answer(-number)))
    assert isinstance(found, UnavailableError)
    assert (found.reason, found.errno) == (errno.errorcode[number], number)


@pytest.mark.parametrize("status", [-(2**31), -4095, -200])
def test_an_unknown_errno_is_a_kernel_error(status: int) -> None:
    for answer in (done(status), error(status)):
        assert raised(FakeKernel(answer)).reason == f"errno_{-status}"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(b"", id="empty"),
        pytest.param(ROW[:19], id="shorter than any reply"),
        pytest.param(message(b"", kind=NLMSG_NOOP), id="a header and nothing else"),
        pytest.param(message(bytes(72), sequence=SEQUENCE + 1), id="another sequence"),
        pytest.param(done(sequence=0), id="the end of another dump"),
        pytest.param(error(-errno.ENOENT, sequence=SEQUENCE + 1), id="an error for another request"),
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
def test_rows_that_end_almost_like_a_dump_are_rows(ending: bytes) -> None:
    assert dumped(FakeKernel(ROW + ending, done())) == [ROW + ending]


@pytest.mark.parametrize("reply", [ROW, done(), error(-errno.ENOENT)])
def test_a_datagram_of_another_process_is_refused(reply: bytes) -> None:
    found = raised(FakeKernel(reply, sender=1234))
    assert isinstance(found, ForeignDatagramError)
    assert "1234" in str(found)


@pytest.mark.parametrize("reply", [[], [ROW]])
def test_a_reply_that_does_not_come_to_its_end_is_a_timeout(reply: list[bytes]) -> None:
    assert raised(FakeKernel(*reply)).reason == "EAGAIN"


@pytest.mark.parametrize("number", [errno.ENOBUFS, errno.EINTR, errno.EBADF])
def test_a_socket_that_fails_is_a_kernel_error(number: int) -> None:
    assert raised(FakeKernel(ROW, OSError(number, "receive"))).reason == errno.errorcode[number]


class NoSockets(DiagSockets):
    """A namespace in which no socket can be opened."""

    def acquire(self) -> socket.socket:
        """Fail."""
        raise UnavailableError("cannot open a sock_diag socket", "EACCES", errno.EACCES)

    def release(self, channel: socket.socket) -> None:
        """Fail the test: there was no socket."""
        raise AssertionError(channel)


def test_an_error_of_opening_a_socket_is_raised() -> None:
    with pytest.raises(UnavailableError):
        list(dump(REQUEST, NoSockets()))


def test_no_socket_is_opened_before_the_first_datagram_is_asked_for() -> None:
    kernel = FakeKernel(ROW, done())
    dump(REQUEST, kernel)
    assert kernel.sockets == []


def test_the_socket_is_closed_when_the_dump_is_closed_before_its_end() -> None:
    kernel = FakeKernel(ROW, ROW, ROW, done())
    datagrams = dump(REQUEST, kernel)
    next(datagrams)
    assert not kernel.all_closed()
    datagrams.close()
    assert kernel.all_closed()
    assert kernel.sockets[0].received == 1


def test_an_error_has_the_request_and_the_errno_in_its_text() -> None:
    found = raised(FakeKernel(done(-errno.ENOENT)))
    assert isinstance(found, RunError)
    assert str(found) == "sock_diag dump failed: ENOENT"
    assert found.__notes__ == ["No such file or directory"]


def test_a_reply_that_is_repeated_is_the_same_list() -> None:
    kernel = FakeKernel(ROW, OTHER + done())
    repeated = RepeatedDump(REQUEST)
    first = repeated.read(kernel)
    assert first == [ROW, OTHER]
    assert repeated.read(kernel) is first
    kernel.datagrams = (ROW, OTHER, done())
    assert repeated.read(kernel) == [ROW, OTHER]
    kernel.datagrams = (ROW, ROW, done())
    assert repeated.read(kernel) == [ROW, ROW]
    kernel.datagrams = (done(),)
    assert repeated.read(kernel) == []
    assert kernel.requests == [REQUEST] * 5
    assert kernel.all_closed()


@given(st.lists(st.lists(st.sampled_from([ROW, OTHER, ROW + OTHER]), max_size=4), max_size=6), st.data())
def test_repeated_dumps_answer_as_single_ones_do(replies: list[list[bytes]], data: st.DataObject) -> None:
    repeated = RepeatedDump(REQUEST)
    for rows in replies:
        joined = data.draw(st.booleans()) and rows
        datagrams = [*rows[:-1], rows[-1] + done()] if joined else [*rows, done()]
        assert repeated.read(FakeKernel(*datagrams)) == dumped(FakeKernel(*datagrams))


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param((ROW,), id="no end"),
        pytest.param((done(-errno.ENOENT),), id="an error in the end"),
        pytest.param((error(-errno.EPERM),), id="an error"),
        pytest.param((ROW, b"short"), id="short"),
    ],
)
def test_a_repeated_dump_fails_as_a_single_one_and_keeps_nothing_of_it(reply: tuple[bytes, ...]) -> None:
    repeated = RepeatedDump(REQUEST)
    first = repeated.read(FakeKernel(ROW, OTHER + done()))
    kernel = FakeKernel(*reply)
    with pytest.raises(KernelError) as failed:
        repeated.read(kernel)
    assert str(failed.value) == str(raised(FakeKernel(*reply)))
    assert kernel.all_closed()
    assert repeated.read(FakeKernel(ROW, OTHER + done())) is first


def test_a_repeated_dump_uses_nothing_of_another_sender_though_it_is_equal() -> None:
    repeated = RepeatedDump(REQUEST)
    repeated.read(FakeKernel(ROW + done()))
    with pytest.raises(ForeignDatagramError):
        repeated.read(FakeKernel(ROW + done(), sender=4711))
