"""What holds for the rows of every socket family."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import TypeVar

from exporter.kernel.errors import MalformedReplyError
from exporter.kernel.records import Endpoint, Listener
from exporter.kernel.sock_diag.rows import ListenerRows

_Answer = TypeVar("_Answer")
_ADDRESS_BYTES = {socket.AF_INET: 4, socket.AF_INET6: 16}


def check_row(rows: ListenerRows, row: bytes) -> None:
    """Decode a row in every way: each gives a record with numbers of the kernel's types, or is malformed."""
    cookie, listener = decoded(rows.cookie, row), decoded(rows.listener, row)
    reading = decoded(rows.reading, row)
    if reading is not None:
        assert reading.cookie == cookie
        assert all(value is None or 0 <= value < 1 << 32 for value in reading[1:])
    if listener is not None:
        check_listener(listener)
        assert listener.cookie == cookie


def check_listener(listener: Listener) -> None:
    """Check what labels are made from."""
    assert listener.address.isprintable()
    assert 0 <= listener.cookie < 1 << 64
    assert listener.uid is None or 0 <= listener.uid < 1 << 32
    if listener.endpoint is not None:
        check_endpoint(listener.endpoint)
        assert listener.port == str(listener.endpoint.port)


def check_endpoint(endpoint: Endpoint) -> None:
    """Check that the numbers of an endpoint fit their types."""
    assert len(endpoint.address) == _ADDRESS_BYTES[socket.AddressFamily(endpoint.family)]
    assert 0 <= endpoint.port < 1 << 16
    assert 0 <= endpoint.interface < 1 << 32


def decoded(decode: Callable[[bytes], _Answer], row: bytes) -> _Answer | None:
    """Return what a decoder makes of a row, None where the row is malformed."""
    try:
        return decode(row)
    except MalformedReplyError:
        return None
