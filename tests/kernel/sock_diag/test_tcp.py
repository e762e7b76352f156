"""TCP rows: attributes at other positions, of other sizes or missing, as other kernels may send them."""

from __future__ import annotations

import struct

import pytest

from exporter.kernel.family import TCP
from tests.kernel.datagrams import attribute, inet_row, skmeminfo

TOS, SKMEMINFO, SKV6ONLY, CGROUP_ID = 5, 7, 11, 21
NESTED = 0x8000
LOOPBACK = 1


def v6only(attributes: bytes) -> bool:
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


@pytest.mark.netns
def test_a_listener_bound_to_a_device_has_its_name_in_the_address() -> None:
    assert TCP.rows.listener(inet_row(1, interface=LOOPBACK)).address == "127.0.0.1%lo"


def test_an_interface_that_is_gone_has_its_number_in_the_address() -> None:
    row = inet_row(1, interface=4000000000)
    assert TCP.rows.listener(row).address == "127.0.0.1%if4000000000"
