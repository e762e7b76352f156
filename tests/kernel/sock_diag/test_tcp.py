"""TCP rows: attributes at other positions, of other sizes or missing, as other kernels may send them."""

from __future__ import annotations

import socket
import struct
import sys

import pytest

from exporter.kernel.family import TCP
from exporter.kernel.netns.namespace import own_namespace
from exporter.kernel.records import Method
from tests.kernel.datagrams import attribute, inet_row, skmeminfo

TOS, SKMEMINFO, SKV6ONLY, CGROUP_ID = 5, 7, 11, 21
SOCKOPT = 22
NESTED = 0x8000
IP_RECVERR, IP_FREEBIND, IP_TRANSPARENT, IP_BIND_ADDRESS_NO_PORT, IPV6_TRANSPARENT = 11, 15, 19, 24, 75
LOOPBACK = 1


def v6only(attributes: bytes) -> bool | None:
    return TCP.rows.listener(inet_row(1, address="::", attributes=attributes)).v6only


def drops(attributes: bytes) -> int | None:
    return TCP.rows.reading(inet_row(1, attributes=attributes)).drops


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(skmeminfo(7), id="alone"),
        pytest.param(attribute(TOS, b"\x10") + skmeminfo(7), id="last"),
        pytest.param(skmeminfo(7) + attribute(TOS, b"\x10"), id="followed by another"),
        pytest.param(attribute(SKMEMINFO, struct.pack("=11I", *range(8), 7, 1, 2)), id="longer"),
        pytest.param(attribute(SKMEMINFO | NESTED, skmeminfo(7)[4:]), id="flagged"),
    ],
)
def test_drops_are_found_at_any_position(attributes: bytes) -> None:
    assert drops(attributes) == 7


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(b"", id="no attribute"),
        pytest.param(attribute(TOS, bytes(36)), id="another attribute of that size"),
        pytest.param(attribute(SKMEMINFO, bytes(32)), id="eight numbers"),
        pytest.param(attribute(SKMEMINFO, b""), id="no number"),
    ],
)
def test_drops_that_are_missing_are_none_and_not_zero(attributes: bytes) -> None:
    assert drops(attributes) is None


def test_drops_are_not_read_from_the_fixed_part() -> None:
    row = bytearray(inet_row(1))
    struct.pack_into("=HH", row, len(row) - 40, 40, SKMEMINFO)
    assert TCP.rows.reading(bytes(row)).drops is None


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (attribute(SKV6ONLY, b"\x01"), True),
        (attribute(SKV6ONLY, b"\x00"), False),
        (attribute(SKV6ONLY, b"\x00") + attribute(TOS, b"\x01"), False),
        (attribute(TOS, b"\x01"), False),
        (attribute(SKV6ONLY, b""), False),
        (b"", False),
    ],
)
def test_v6only_is_the_value_of_its_attribute(attributes: bytes, expected: bool) -> None:  # noqa: FBT001
    assert v6only(attributes) is expected


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param(attribute(CGROUP_ID, struct.pack("=Q", 4711)), 4711, id="alone"),
        pytest.param(
            attribute(SKV6ONLY, b"\x01") + attribute(CGROUP_ID, struct.pack("=Q", 1 << 40)),
            1 << 40,
            id="large",
        ),
        pytest.param(attribute(CGROUP_ID, struct.pack("=Q", 7)) + skmeminfo(1), 7, id="followed by another"),
        pytest.param(attribute(CGROUP_ID, struct.pack("=I", 7)), 0, id="of another size"),
        pytest.param(attribute(TOS, struct.pack("=Q", 7)), 0, id="another attribute"),
        pytest.param(b"", 0, id="older kernel"),
    ],
)
def test_the_cgroup_is_found_at_any_position(attributes: bytes, expected: int) -> None:
    assert TCP.rows.listener(inet_row(1, address="::", attributes=attributes)).cgroup_id == expected


def test_address_and_port_are_text() -> None:
    listener = TCP.rows.listener(inet_row(1, address="2001:db8::1", port=443))
    assert (listener.address, listener.port) == ("2001:db8::1", "443")


def test_of_an_interface_a_row_has_the_index_alone() -> None:
    """Its name is that of the namespace, which the row does not tell."""
    listener = TCP.rows.listener(inet_row(1, interface=LOOPBACK))
    assert listener.address == "127.0.0.1"
    assert listener.endpoint is not None
    assert listener.endpoint.interface == LOOPBACK


# What the kernel sends of listeners with only one of the options set, the bits of both bytes.
@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        pytest.param(attribute(SOCKOPT, b"\x72\x00"), True, id="among others"),
        pytest.param(attribute(TOS, b"\x20") + attribute(SOCKOPT, b"\x20\x00"), True, id="alone"),
        pytest.param(attribute(SOCKOPT, b"\x52\x20"), False, id="others"),
        pytest.param(attribute(SOCKOPT, b""), False, id="empty"),
        pytest.param(attribute(TOS, b"\xff"), False, id="another attribute"),
        pytest.param(b"", False, id="before Linux 5.11"),
    ],
)
@pytest.mark.skipif(sys.byteorder != "little", reason="the bits are in the other order")
def test_transparent_is_a_bit_of_the_options(attributes: bytes, expected: bool) -> None:  # noqa: FBT001
    assert TCP.rows.listener(inet_row(1, attributes=attributes)).transparent is expected


OPTIONS = {
    "transparent": (socket.SOL_IP, IP_TRANSPARENT),
    "free bind": (socket.SOL_IP, IP_FREEBIND),
    "all errors": (socket.SOL_IP, IP_RECVERR),
    "no port at bind": (socket.SOL_IP, IP_BIND_ADDRESS_NO_PORT),
}


@pytest.mark.netns
@pytest.mark.parametrize("option", OPTIONS)
def test_of_all_options_only_that_one_is_transparent(option: str) -> None:
    """And the connections of such a listener have it too."""
    with socket.create_server(("127.0.0.1", 8000)) as server:
        server.setsockopt(*OPTIONS[option], 1)
        with socket.create_connection(server.getsockname()):
            own = own_namespace()
            changes = own.listeners(TCP, Method.SOCK_DIAG).read(0.0)
            transparent = [listener.transparent for listener, _ in changes.opened]
            # The kernel copies the options when the client connects.
            transparent += [connection.transparent for connection in own.waiting_at({8000}).found]
    assert transparent == [option == "transparent"] * 2


@pytest.mark.netns
def test_an_ipv6_listener_is_transparent_by_its_own_option() -> None:
    with socket.create_server(("::1", 8000), family=socket.AF_INET6) as server:
        server.setsockopt(socket.IPPROTO_IPV6, IPV6_TRANSPARENT, 1)
        ((listener, _),) = own_namespace().listeners(TCP, Method.SOCK_DIAG).read(0.0).opened
    assert listener.transparent
