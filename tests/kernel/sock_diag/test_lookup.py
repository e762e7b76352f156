"""A lookup: the row that it returns, which errors it raises, and that its socket never stays open."""

from __future__ import annotations

import errno
import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink import NLM_F_REQUEST

from exporter.kernel.errors import (
    ForeignDatagramError,
    KernelError,
    MalformedReplyError,
    UnavailableError,
)
from exporter.kernel.records import Endpoint, WaitingConnection
from exporter.kernel.sock_diag.accept_wait import request_one
from exporter.kernel.sock_diag.dump import lookup
from tests.kernel.datagrams import ESTABLISHED, SEQUENCE, error, inet_row, message, tcp_info
from tests.kernel.fake_kernel import FakeKernel

ROW = inet_row(7, state=ESTABLISHED, inode=0, attributes=tcp_info(5))
# A header and struct inet_diag_req: family, lengths, extensions; ports, addresses; interface, cookie; states.
REQUEST = struct.Struct("=IHHII 4B 2s 2s 16s 16s I Q I I")


def connection(
    address: str = "10.0.0.1", port: int = 80, interface: int = 0, cookie: int = 7
) -> WaitingConnection:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    peer = socket.inet_pton(family, "fd00::9" if ":" in address else "10.0.0.9")
    local = Endpoint(family, socket.inet_pton(family, address), port, interface)
    return WaitingConnection(cookie, local, peer, 4711, 1, transparent=True, seconds=1.5)


@given(
    st.sampled_from(["10.0.0.1", "fd00::1", "::ffff:10.0.0.1"]),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**64 - 1),
)
def test_the_request_names_both_ends_and_the_cookie(
    address: str, port: int, interface: int, cookie: int
) -> None:
    asked = connection(address, port, interface, cookie)
    length, kind, flags, sequence, _, *body = REQUEST.unpack(request_one(asked))
    assert (length, kind, flags, sequence) == (REQUEST.size, 18, NLM_F_REQUEST, SEQUENCE)
    family, _, _, extensions, ports, peer_ports, source, destination, found_interface, found_cookie, _, _ = (
        body
    )
    assert (family, extensions) == (asked.local.family, 1 << 1)
    assert (ports, peer_ports) == (struct.pack("!H", port), struct.pack("!H", 4711))
    assert source.rstrip(b"\0") == asked.local.address.rstrip(b"\0")
    assert destination.rstrip(b"\0") == asked.peer_address.rstrip(b"\0")
    assert (found_interface, found_cookie) == (interface, cookie)


def looked_up(kernel: FakeKernel) -> bytes | None:
    return lookup(request_one(connection()), kernel)


def raised(kernel: FakeKernel) -> KernelError:
    """Return the error of a lookup, which must have closed its socket."""
    with pytest.raises(KernelError) as caught:
        looked_up(kernel)
    assert kernel.all_closed()
    return caught.value


def test_the_row_is_returned_as_it_came() -> None:
    kernel = FakeKernel(ROW)
    assert looked_up(kernel) == ROW
    assert kernel.requests == [request_one(connection())]
    assert kernel.all_closed()


@pytest.mark.parametrize("number", [errno.ENOENT, errno.ESTALE])
def test_a_socket_that_is_gone_is_none_and_no_error(number: int) -> None:
    """ESTALE is another socket between the same ends."""
    kernel = FakeKernel(error(-number, request_one(connection())))
    assert looked_up(kernel) is None
    assert kernel.all_closed()


def test_another_error_is_raised() -> None:
    assert raised(FakeKernel(error(-errno.ENOBUFS))).reason == "ENOBUFS"
    assert isinstance(raised(FakeKernel(error(-errno.EPERM))), UnavailableError)


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(b"", id="empty"),
        pytest.param(ROW[:19], id="shorter than any reply"),
        pytest.param(ROW[:-4], id="cut off"),
        pytest.param(ROW + ROW, id="two rows"),
        pytest.param(message(bytes(72), sequence=SEQUENCE + 1), id="another sequence"),
        pytest.param(error(-errno.ENOENT, sequence=SEQUENCE + 1), id="an error for another request"),
    ],
)
def test_what_was_not_asked_for_is_refused(fault: bytes) -> None:
    assert isinstance(raised(FakeKernel(fault)), MalformedReplyError)


@pytest.mark.parametrize("reply", [ROW, error(-errno.ENOENT)])
def test_a_datagram_of_another_process_is_refused(reply: bytes) -> None:
    assert isinstance(raised(FakeKernel(reply, sender=1234)), ForeignDatagramError)


def test_a_reply_that_does_not_come_is_a_timeout() -> None:
    assert raised(FakeKernel()).reason == "EAGAIN"
