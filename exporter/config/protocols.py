"""What rules have to know of a protocol: its name, and the form of its addresses."""

from __future__ import annotations

import enum

from exporter.kernel.records import ListenerProtocol

PROTOCOLS = tuple(ListenerProtocol)


class AddressForm(enum.Enum):
    """What an address of a protocol is."""

    IP = enum.auto()
    PATH = enum.auto()


def address_form(protocol: ListenerProtocol) -> AddressForm:
    """Return what the addresses of a protocol are: an IP with a port, or a path without one."""
    return AddressForm.PATH if protocol is ListenerProtocol.UNIX else AddressForm.IP
