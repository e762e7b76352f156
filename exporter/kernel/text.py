"""Bytes of the kernel as text that is safe to show: on a page, in a table, in a log."""

from __future__ import annotations

import os
import socket

from exporter.kernel.records import Endpoint

_SURROGATES = range(0xDC80, 0xDD00)


def printable(raw: bytes) -> str:
    r"""Decode UTF-8; every byte that is no printable UTF-8, and backslash, becomes `\xNN`.

    No two sequences of bytes have the same result, so two listeners never get one label by accident.
    """
    return "".join(_escape(character) for character in raw.decode("utf-8", "surrogateescape"))


def ip_address(endpoint: Endpoint, device: str = "") -> str:
    """Return the address of an IP listener, with `%device` where it is bound to a device."""
    address = socket.inet_ntop(endpoint.family, endpoint.address)
    return f"{address}%{printable(os.fsencode(device))}" if device else address


def unix_address(name: bytes) -> str:
    """Return the address of a unix listener: the path that bind() got, or `@name` for an abstract name."""
    return "@" + printable(name[1:]) if name.startswith(b"\0") else printable(name)


def _escape(character: str) -> str:
    if ord(character) in _SURROGATES:
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character == "\\" or not character.isprintable():
        return "".join(f"\\x{byte:02x}" for byte in character.encode())
    return character
