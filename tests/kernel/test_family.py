"""The descriptions of the socket families."""

from __future__ import annotations

import pytest

from exporter.kernel.family import FAMILIES, TCP, UNIX, AddressForm, SocketFamily, address_form, family_of


def test_labels_and_names_of_sources_are_those_that_users_rely_on() -> None:
    assert [(family.protocol, family.source) for family in FAMILIES] == [("tcp", "inet"), ("unix", "unix")]


def test_a_family_is_found_by_its_protocol() -> None:
    assert (family_of("tcp"), family_of("unix")) == (TCP, UNIX)
    assert (address_form("tcp"), address_form("unix")) == (AddressForm.IP, AddressForm.PATH)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.protocol)
def test_families_are_different_keys(family: SocketFamily) -> None:
    assert {each: each.protocol for each in FAMILIES}[family] == family.protocol
