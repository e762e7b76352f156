"""pyroute2's classes decode recorded replies, and the requests, to the same values."""

from __future__ import annotations

import ipaddress
import os
import socket
import struct
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink import NLM_F_DUMP, NLM_F_REQUEST
from pyroute2.netlink.diag import SS_LISTEN, inet_diag_msg, inet_diag_req, unix_diag_msg, unix_diag_req

from exporter.kernel.family import TCP, UNIX
from exporter.kernel.records import Endpoint, FileId, WaitingConnection
from exporter.kernel.sock_diag import accept_wait, messages, mptcp, syn_recv
from exporter.kernel.text import unix_address
from tests.kernel import recordings
from tests.kernel.datagrams import tcp_row, unix_row
from tests.kernel.sock_diag.test_recorded_replies import of_every_kernel

NLMSG_DONE = 3


def decoded(name: str, kind: type[Any]) -> Iterator[Any]:
    """Decode the datagrams of a recording as pyroute2's marshal does."""
    for datagram in recordings.load(name).datagrams:
        at = 0
        while at < len(datagram):
            length, message_type = struct.unpack_from("=IH", datagram, at)
            if message_type != NLMSG_DONE:
                message = kind(datagram, offset=at)
                message.decode()
                yield message
            at += length + 3 & ~3


def rows(name: str) -> list[bytes]:
    """Return the messages that the exporter finds, without the closing one."""
    return [row for datagram in recordings.load(name).datagrams[:-1] for row in messages.messages(datagram)]


def endpoint(message: Any) -> Endpoint:
    packed = ipaddress.ip_address(message["idiag_src"]).packed
    return Endpoint(message["idiag_family"], packed, message["idiag_sport"], message["idiag_if"])


def drops(message: Any) -> int:
    """Return the ninth number of SK_MEMINFO, of which pyroute2 makes a text in hexadecimal."""
    raw = bytes.fromhex(message.get_attr("INET_DIAG_SKMEMINFO").replace(":", ""))
    return int(struct.unpack("=9I", raw)[8])


@of_every_kernel("tcp_listeners", "tcp_listeners_many")
def test_tcp_listeners_are_the_same(name: str) -> None:
    theirs = [
        (
            message["idiag_cookie"],
            message["idiag_inode"],
            message["idiag_uid"],
            endpoint(message),
            bool(message.get_attr("INET_DIAG_SKV6ONLY")),
            message["idiag_rqueue"],
            message["idiag_wqueue"],
            drops(message),
        )
        for message in decoded(name, inet_diag_msg)
    ]
    ours = []
    for row in rows(name):
        listener, reading = TCP.rows.listener(row), TCP.rows.reading(row)
        identity = (listener.cookie, listener.inode, listener.uid, listener.endpoint, listener.v6only)
        ours.append((*identity, reading.length, reading.limit, reading.drops))
    assert ours == theirs


@of_every_kernel("unix_listeners")
def test_unix_listeners_are_the_same(name: str) -> None:
    """pyroute2 does not decode UNIX_DIAG_UID, and strips a name of the NULs around it."""
    theirs = []
    for message in decoded(name, unix_diag_msg):
        bound, queue = message.get_attr("UNIX_DIAG_NAME"), message.get_attr("UNIX_DIAG_RQLEN")
        file = message.get_attr("UNIX_DIAG_VFS")
        bound_to = None
        if file is not None:
            device = file["udiag_vfs_dev"]
            bound_to = os.makedev(device >> 20, device & 0xFFFFF), file["udiag_vfs_ino"]
        address = unix_address(bound if isinstance(bound, bytes) else bound.encode())
        identity = (message["udiag_cookie"], message["udiag_ino"], address, bound_to)
        theirs.append((*identity, queue["udiag_rqueue"], queue["udiag_wqueue"]))
    ours = []
    for row in rows(name):
        listener, reading = UNIX.rows.listener(row), UNIX.rows.reading(row)
        address = listener.address.removeprefix("@").removesuffix(r"\x00")
        bound_to = listener.bound_to if isinstance(listener.bound_to, FileId) else None
        identity = (listener.cookie, listener.inode, address, bound_to)
        ours.append((*identity, reading.length, reading.limit))
    assert ours == theirs


@of_every_kernel("syn_recv")
def test_syn_recv_connections_are_the_same(name: str) -> None:
    theirs = Counter(endpoint(message) for message in decoded(name, inet_diag_msg))
    assert syn_recv.count(recordings.load(name).datagrams[:-1]) == theirs


@of_every_kernel("waiting", "waiting_unprivileged")
def test_waits_are_the_same(name: str) -> None:
    theirs = [
        WaitingConnection(
            message["idiag_cookie"],
            endpoint(message),
            ipaddress.ip_address(message["idiag_dst"]).packed,
            message["idiag_dport"],
            cgroup_id=1,
            transparent=False,
            seconds=message.get_attr("INET_DIAG_INFO")["tcpi_last_data_sent"] / 1000,
        )
        for message in decoded(name, inet_diag_msg)
        if message["idiag_inode"] == 0
    ]
    assert list(accept_wait.waiting(recordings.load(name).datagrams[:-1])) == theirs


@given(
    st.integers(0, 2**64 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.sampled_from(["0.0.0.0", "127.0.0.1", "::", "fe80::1", "::ffff:10.0.0.1"]),
)
def test_any_numbers_in_a_tcp_row_are_the_same(cookie: int, length: int, lost: int, address: str) -> None:
    row = tcp_row(cookie & 0xFFFFFFFF, length=length, drops=lost, address=address)
    row = row[:60] + struct.pack("=Q", cookie) + row[68:]
    message = inet_diag_msg(row)
    message.decode()
    assert TCP.rows.reading(row) == (
        message["idiag_cookie"],
        message["idiag_rqueue"],
        message["idiag_wqueue"],
        drops(message),
    )
    assert TCP.rows.listener(row).endpoint == endpoint(message)


@given(st.text(st.characters(exclude_characters="\0", codec="ascii"), min_size=1, max_size=100))
def test_any_text_as_a_unix_name_is_the_same(name: str) -> None:
    row = unix_row(1, name=name.encode() + b"\0")
    message = unix_diag_msg(row)
    message.decode()
    assert UNIX.rows.listener(row).address == unix_address(message.get_attr("UNIX_DIAG_NAME").encode())


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_the_request_for_mptcp_listeners_is_encoded_right(family: int) -> None:
    """The protocol does not fit into a byte, so it is in an attribute (inet_diag_get_protocol)."""
    request = inet_diag_req(mptcp.request(family))
    request.decode()
    assert request["header"]["type"] == 20
    assert request["header"]["flags"] == NLM_F_REQUEST | NLM_F_DUMP
    assert request["header"]["length"] == len(mptcp.request(family))
    assert request["sdiag_family"] == family
    assert request["idiag_states"] == 1 << SS_LISTEN
    assert mptcp.request(family)[-8:] == struct.pack("=HHI", 8, 3, 262)


def test_the_request_for_unix_listeners_is_encoded_right() -> None:
    """It asks for names, files, queues and owners, and never for ICONS, which locks each queue."""
    request = unix_diag_req(UNIX.rows.requests[0])
    request.decode()
    assert request["header"]["type"] == 20
    assert request["header"]["flags"] == NLM_F_REQUEST | NLM_F_DUMP
    assert request["header"]["length"] == len(UNIX.rows.requests[0])
    assert request["sdiag_family"] == socket.AF_UNIX
    assert request["udiag_states"] == 1 << SS_LISTEN
    assert request["udiag_show"] == 0x01 | 0x02 | 0x10 | 0x40
