"""The socket families whose listeners are read, each described in one place.

To add one: a module with its rows in exporter/kernel/sock_diag, and a description here.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from exporter.kernel.procfs import listeners as procfs
from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.procfs.listeners import Found
from exporter.kernel.sock_diag import requests, tcp, unix
from exporter.kernel.sock_diag.comparison import RowDecoder


class AddressForm(enum.StrEnum):
    """How the address of a listener reads."""

    IP = "ip"
    PATH = "path"


# Compared by identity: each family is described once.
@dataclass(frozen=True, slots=True, eq=False)
class SocketFamily:
    """How the listeners of one family are read, and what they have.

    `protocol` is the value of the label `protocol`, `source` the name of the source that reads them.
    `has_syn_queue` says whether there are half-open connections, and connections in the accept queue whose
    wait is known; `needs_segments` whether a queue grows only when a TCP segment comes in.
    `request` asks sock_diag for all of them, `rows` decodes the answer, `procfs` reads them from /proc/net.
    """

    protocol: str
    source: str
    address_form: AddressForm
    has_syn_queue: bool
    needs_segments: bool
    request: bytes
    rows: RowDecoder
    procfs: Callable[[ProcfsFiles], list[Found]]


TCP: Final = SocketFamily(
    protocol="tcp",
    source="inet",
    address_form=AddressForm.IP,
    has_syn_queue=True,
    needs_segments=True,
    request=requests.TCP_LISTENERS,
    rows=RowDecoder(tcp.cookie, tcp.listener, tcp.reading),
    procfs=procfs.tcp_listeners,
)
UNIX: Final = SocketFamily(
    protocol="unix",
    source="unix",
    address_form=AddressForm.PATH,
    has_syn_queue=False,
    needs_segments=False,
    request=requests.UNIX_LISTENERS,
    rows=RowDecoder(unix.cookie, unix.listener, unix.reading),
    procfs=procfs.unix_listeners,
)
FAMILIES: Final = (TCP, UNIX)

_ADDRESS_FORMS: Final = {family.protocol: family.address_form for family in FAMILIES}


def address_form(protocol: str) -> AddressForm:
    """Return how the addresses of a protocol read."""
    return _ADDRESS_FORMS[protocol]
