"""Bytes of the kernel as text that is safe to show: on a page, in a table, in a log."""

from __future__ import annotations

import os
import re
import socket
from typing import Final

from exporter.kernel.records import IPV4_MAPPED_PREFIX, Endpoint

_SURROGATES = range(0xDC80, 0xDD00)
# No value of a label is longer, whoever chose it: each is there in every series of a listener.
MAX_LABEL_BYTES: Final = 256
_CUT: Final = "…"
# What a listener has behind its address that is told from another one at the same address.
_TOLD_APART: Final = re.compile(r" \((?=inode \d+\)\Z)")


def printable(raw: bytes) -> str:
    r"""Decode UTF-8; every byte that is no printable UTF-8, and backslash, becomes `\xNN`.

    No two sequences of bytes have the same result, so two listeners never get one label by accident.
    """
    text = raw.decode("utf-8", "surrogateescape")
    # Most names need nothing; a byte that is no UTF-8 is not printable either.
    if text.isprintable() and "\\" not in text:
        return text
    return "".join(map(_escape, text))


def label_value(text: str) -> str:
    """Return a text as the value of a label, of 256 bytes at most; one that was cut ends in `…`."""
    # No character has more than four bytes.
    if len(text) <= MAX_LABEL_BYTES // 4:
        return text
    raw = text.encode()
    if len(raw) <= MAX_LABEL_BYTES:
        return text
    return raw[: MAX_LABEL_BYTES - len(_CUT.encode())].decode(errors="ignore") + _CUT


def ip_address(endpoint: Endpoint, device: str = "") -> str:
    """Return the address of an IP listener, with `%device` where it is bound to a device.

    One that is bound to an IPv4-mapped IPv6 address has IPv4 clients only, and the address that they connect
    to: `::ffff:127.0.0.1` is 127.0.0.1. The JVM binds every IPv4 address so.
    """
    family, raw = endpoint.family, endpoint.address
    if raw.startswith(IPV4_MAPPED_PREFIX):
        family, raw = socket.AF_INET, raw.removeprefix(IPV4_MAPPED_PREFIX)
    address = socket.inet_ntop(family, raw)
    return f"{address}%{printable(os.fsencode(device))}" if device else address


def unix_address(name: bytes) -> str:
    r"""Return the address of a unix listener: the path that bind() got, or `@name` for an abstract name.

    NULs at the end of an abstract name are left out. They belong to the name (unix(7)) and come from programs
    that pass the whole of struct sockaddr_un, so two names may have one address. So may two that are cut. The
    relative path `*` becomes `\x2a`: the plain character stands for all names of a folded listener. A name
    that ends as what tells listeners at one address apart has `\x28` in place of its parenthesis.
    """
    if name == b"*":
        return r"\x2a"
    text = "@" + printable(name[1:].rstrip(b"\0")) if name.startswith(b"\0") else printable(name)
    return label_value(_TOLD_APART.sub(r" \\x28", text))


def _escape(character: str) -> str:
    if ord(character) in _SURROGATES:
        return f"\\x{ord(character) - 0xDC00:02x}"
    if character == "\\" or not character.isprintable():
        return "".join(f"\\x{byte:02x}" for byte in character.encode())
    return character
