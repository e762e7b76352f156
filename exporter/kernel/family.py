"""The socket families whose listeners are read, each described in one place.

To add one: a module with its rows in exporter/kernel/sock_diag, and a description here.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from exporter.kernel.procfs.table import ProcfsTable
from exporter.kernel.procfs.tcp import TcpTable
from exporter.kernel.procfs.unix import UnixTable
from exporter.kernel.sock_diag.rows import ListenerRows
from exporter.kernel.sock_diag.tcp import TcpRows
from exporter.kernel.sock_diag.unix import UnixRows


class AddressForm(enum.StrEnum):
    """How the address of a listener reads, and so how the rules of the configuration match it.

    IP is an IP address, matched by networks, with a port beside it. PATH is a text without a port, matched by
    patterns.
    """

    IP = "ip"
    PATH = "path"


# Compared by identity: each family is described once.
@dataclass(frozen=True, slots=True, eq=False)
class SocketFamily:
    """How the listeners of one family are read, and what they have.

    `protocol` is the value of the label `protocol`, `source` the name of the source that reads them, and
    `listeners` what they are called in messages to people.
    `has_syn_queue` tells whether there are half-open connections, and connections in the accept queue whose
    wait is known; `needs_segments` whether a queue grows only when a TCP segment comes in. `rows` is how
    sock_diag shows them. `table` makes what reads them from /proc/net, which may remember what it has read:
    one for each namespace. It is None where /proc/net does not show them.
    """

    protocol: str
    source: str
    listeners: str
    address_form: AddressForm
    has_syn_queue: bool
    needs_segments: bool
    rows: ListenerRows
    table: Callable[[], ProcfsTable] | None


TCP: Final = SocketFamily(
    protocol="tcp",
    source="inet",
    listeners="TCP listeners",
    address_form=AddressForm.IP,
    has_syn_queue=True,
    needs_segments=True,
    rows=TcpRows(),
    table=TcpTable,
)
UNIX: Final = SocketFamily(
    protocol="unix",
    source="unix",
    listeners="unix listeners",
    address_form=AddressForm.PATH,
    has_syn_queue=False,
    needs_segments=False,
    rows=UnixRows(),
    table=UnixTable,
)
FAMILIES: Final = (TCP, UNIX)

_BY_PROTOCOL: Final = {family.protocol: family for family in FAMILIES}


def family_of(protocol: str) -> SocketFamily:
    """Return the family with this value of the label `protocol`."""
    return _BY_PROTOCOL[protocol]


def address_form(protocol: str) -> AddressForm:
    """Return how the addresses of a protocol read."""
    return family_of(protocol).address_form
