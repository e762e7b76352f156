"""The descriptions of the socket families."""

from __future__ import annotations

import pytest

from exporter.kernel.family import FAMILIES, AddressForm, SocketFamily, address_form


def test_labels_and_names_of_sources_are_those_that_users_rely_on() -> None:
    assert [(family.protocol, family.source) for family in FAMILIES] == [("tcp", "inet"), ("unix", "unix")]


def test_the_form_of_addresses_is_found_by_the_protocol() -> None:
    assert (address_form("tcp"), address_form("unix")) == (AddressForm.IP, AddressForm.PATH)


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.protocol)
def test_families_are_different_keys(family: SocketFamily) -> None:
    assert {each: each.protocol for each in FAMILIES}[family] == family.protocol
