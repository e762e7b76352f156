"""The sockets of all listen addresses."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from exporter.errors import UsageError
from exporter.web.address import Address, ListenAddress
from exporter.web.tcp_listener import OpenSocket, open_tcp
from exporter.web.unix_listener import SocketPermissions, open_unix

# IFNAMSIZ, include/uapi/linux/if.h.
_DEVICE_BYTES = 16
# Every address of IPv4, of IPv6, and of both.
_WILDCARDS = ("", "::", "0.0.0.0")  # noqa: S104  (what is looked for)


def bind(
    addresses: Sequence[Address],
    open_socket: OpenSocket = socket.socket,
    file: SocketPermissions = SocketPermissions(),  # noqa: B008  (it is frozen)
) -> list[socket.socket]:
    """Open listening, non-blocking sockets: one for each address, or several for a host name.

    `open_socket` takes family and type as socket.socket does, and raises OSError. Raises UsageError or
    RunError, and leaves no socket open, where one of them cannot be opened.
    """
    _check_overlap(addresses)
    with ExitStack() as opened:
        listeners = [
            opened.enter_context(listener)
            for address in addresses
            for listener in _bind_one(address, open_socket, file)
        ]
        opened.pop_all()
    return listeners


def name_of(listener: socket.socket) -> str:
    """Return the address that a listening socket has, in the form that is parsed."""
    name = listener.getsockname()
    if listener.family == socket.AF_UNIX:
        return f"unix:{name}"
    host, _ = socket.getnameinfo(name, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
    device = listener.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, _DEVICE_BYTES).rstrip(b"\0")
    # That of a link-local address is its zone.
    return str(ListenAddress(host, name[1], "" if "%" in host else device.decode(errors="backslashreplace")))


def _bind_one(address: Address, open_socket: OpenSocket, file: SocketPermissions) -> Iterator[socket.socket]:
    if isinstance(address, ListenAddress):
        return open_tcp(address, open_socket)
    return iter([open_unix(address, file)])


def _check_overlap(addresses: Sequence[Address]) -> None:
    """Raise UsageError for two addresses that one host cannot have together, whoever has the port."""
    for position, address in enumerate(addresses):
        for earlier in addresses[:position]:
            if _overlap(earlier, address):
                raise UsageError(
                    f"--web.listen-address: {str(earlier)!r} and {str(address)!r} overlap; give one of them"
                )


def _overlap(one: Address, other: Address) -> bool:
    if not (isinstance(one, ListenAddress) and isinstance(other, ListenAddress)):
        return one == other
    if one.port != other.port or not one.port:
        return False
    if one.device and other.device and one.device != other.device:
        # One without a device conflicts with those of every device (inet_csk_bind_conflict() in the kernel).
        return False
    if {one.host, other.host} == {"0.0.0.0", "::"}:  # noqa: S104  (what is looked for)
        # The socket of :: accepts IPv4 as well.
        return True
    return one.host == other.host or any(
        _contains(host, part) for host, part in ((one.host, other.host), (other.host, one.host))
    )


def _contains(host: str, part: str) -> bool:
    """Tell whether connections to `part` fall to a socket of `host`; a name is not resolved for this."""
    if host not in _WILDCARDS:
        return False
    if host == "0.0.0.0":  # noqa: S104  (what is looked for)
        return ":" not in part and part[-1:].isdigit()
    return True
