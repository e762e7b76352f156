"""Listeners that are bound to an interface: its name in their address, also after it has changed."""

from __future__ import annotations

import pytest

from exporter.kernel.errors import KernelError
from exporter.kernel.family import TCP
from exporter.kernel.records import UNCHANGED, Changes
from exporter.kernel.sock_diag.comparison import DumpComparison
from tests.kernel.datagrams import datagram, inet_row, message, tcp_row
from tests.kernel.fake_interfaces import FakeInterfaces

ETH0, TAP0 = 2, 7


@pytest.fixture
def interfaces() -> FakeInterfaces:
    return FakeInterfaces({ETH0: "eth0", TAP0: "tap0"})


@pytest.fixture
def comparison(interfaces: FakeInterfaces) -> DumpComparison:
    return DumpComparison(TCP.rows, interfaces)


def dump(*, length: int = 0) -> list[bytes]:
    """Two listeners on one interface, one on another and one on none."""
    return [
        datagram(
            [
                inet_row(1, interface=TAP0, length=length),
                inet_row(2, address="fe80::5", interface=TAP0),
                inet_row(3, interface=ETH0),
                inet_row(4),
            ]
        )
    ]


def addresses(changes: Changes) -> dict[int, str]:
    return {listener.cookie: listener.address for listener, _ in changes.opened}


def test_the_name_of_the_interface_is_in_the_address(
    comparison: DumpComparison, interfaces: FakeInterfaces
) -> None:
    assert addresses(comparison.update(dump())) == {
        1: "127.0.0.1%tap0",
        2: "fe80::5%tap0",
        3: "127.0.0.1%eth0",
        4: "127.0.0.1",
    }
    assert interfaces.asked == 1


def test_an_interface_without_a_name_has_its_number(comparison: DumpComparison) -> None:
    found = comparison.update([inet_row(1, interface=4000000000)])
    assert addresses(found) == {1: "127.0.0.1%if4000000000"}


def test_a_name_that_is_the_same_changes_nothing(
    comparison: DumpComparison, interfaces: FakeInterfaces
) -> None:
    comparison.update(dump())
    assert comparison.update(dump(), read_names=True) is UNCHANGED
    assert interfaces.asked == 2
    comparison.update([tcp_row(5)])
    comparison.update([tcp_row(5)])
    assert comparison.update([tcp_row(5)], read_names=True) is UNCHANGED
    assert interfaces.asked == 2, "the listeners that were bound are closed"


@pytest.mark.parametrize("length", [0, 5])
def test_the_listeners_of_an_interface_that_was_renamed_are_opened_again(
    comparison: DumpComparison, interfaces: FakeInterfaces, length: int
) -> None:
    comparison.update(dump())
    interfaces.names[TAP0] = "vnet1"
    assert addresses(comparison.update(dump())) == {}
    changes = comparison.update(dump(length=length), read_names=True)
    assert addresses(changes) == {1: "127.0.0.1%vnet1", 2: "fe80::5%vnet1"}
    assert sorted(changes.closed) == [1, 2]
    assert changes.updated == ()
    assert [reading.length for _, reading in changes.opened] == [length, 0]
    assert comparison.known == {1, 2, 3, 4}
    assert comparison.update(dump(length=length), read_names=True) is UNCHANGED
    assert [reading.cookie for reading in comparison.update(dump(length=9)).updated] == [1]


def test_an_interface_that_is_removed_leaves_its_number(
    comparison: DumpComparison, interfaces: FakeInterfaces
) -> None:
    comparison.update(dump())
    del interfaces.names[ETH0]
    changes = comparison.update(dump(), read_names=True)
    assert (addresses(changes), changes.closed) == ({3: "127.0.0.1%if2"}, (3,))
    interfaces.names[ETH0] = "eth0"
    changes = comparison.update(dump(), read_names=True)
    assert (addresses(changes), changes.closed) == ({3: "127.0.0.1%eth0"}, (3,))


def test_two_interfaces_may_swap_their_names(comparison: DumpComparison, interfaces: FakeInterfaces) -> None:
    comparison.update(dump())
    interfaces.names = {ETH0: "tap0", TAP0: "eth0"}
    changes = comparison.update(dump(), read_names=True)
    assert addresses(changes) == {1: "127.0.0.1%eth0", 2: "fe80::5%eth0", 3: "127.0.0.1%tap0"}
    assert sorted(changes.closed) == [1, 2, 3]


def test_one_that_a_dump_lacks_is_opened_again_when_it_is_back(
    comparison: DumpComparison, interfaces: FakeInterfaces
) -> None:
    comparison.update(dump())
    interfaces.names[ETH0] = "wan"
    lacking = [datagram([inet_row(1, interface=TAP0), inet_row(2, address="fe80::5", interface=TAP0)])]
    assert comparison.update(lacking, read_names=True) == UNCHANGED
    changes = comparison.update(dump(), read_names=True)
    assert (addresses(changes), changes.closed) == ({3: "127.0.0.1%wan"}, (3,))


def test_one_that_closes_as_its_interface_is_removed_is_closed_once(
    comparison: DumpComparison, interfaces: FakeInterfaces
) -> None:
    comparison.update([inet_row(1, interface=TAP0), inet_row(2)])
    interfaces.names.clear()
    assert comparison.update([inet_row(2)], read_names=True) == UNCHANGED
    assert comparison.update([inet_row(2)], read_names=True) == Changes(closed=(1,))
    assert comparison.update([inet_row(2)], read_names=True) is UNCHANGED
    assert comparison.known == {2}


def test_where_a_name_cannot_be_read_nothing_is_kept_of_the_dump(
    comparison: DumpComparison, interfaces: FakeInterfaces
) -> None:
    """With another name the listener would have the wrong labels."""
    interfaces.error = KernelError("cannot read the name", "EMFILE")
    with pytest.raises(KernelError):
        comparison.update(dump())
    assert comparison.known == set()
    interfaces.error = None
    assert len(addresses(comparison.update(dump()))) == 4
    interfaces.error = KernelError("cannot read the name", "EMFILE")
    interfaces.names[TAP0] = "vnet1"
    with pytest.raises(KernelError):
        comparison.update(dump(), read_names=True)
    interfaces.error = None
    assert sorted(addresses(comparison.update(dump(), read_names=True))) == [1, 2]


def test_a_malformed_row_leaves_no_name_behind(
    comparison: DumpComparison, interfaces: FakeInterfaces
) -> None:
    with pytest.raises(KernelError):
        comparison.update([inet_row(1, interface=TAP0), message(bytes(4))])
    interfaces.names.clear()
    assert comparison.update([tcp_row(2)], read_names=True).closed == ()
