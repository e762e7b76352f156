"""Listen addresses: parsing them, and opening their sockets."""

from __future__ import annotations

import errno
import ipaddress
import re
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Self

from exporter.errors import RunError, UsageError

# The last is what getaddrinfo() returns for an IPv6 address where Python is built without IPv6.
_SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]

OpenSocket = Callable[[int, int], socket.socket]

_BACKLOG = 128
_HIGHEST_PORT = 65535
_HOST_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,252})")
_FORMS = "write :10511, 127.0.0.1:10511, [::1]:10511 or a host name and a port"

# This host has no such address, or its address family is missing or disabled.
_ABSENT = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host and a port; an empty host means every interface of both families, port 0 any free port."""

    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `HOST:PORT`, `[IPV6]:PORT` or `:PORT`. Raises UsageError."""
        host, colon, port = text.rpartition(":")
        if not (colon and port.isascii() and port.isdigit()):
            raise _usage_error(text, f"has no port; {_FORMS}")
        if len(port) > len(str(_HIGHEST_PORT)) or int(port) > _HIGHEST_PORT:
            raise _usage_error(text, f"the port must be 0 to {_HIGHEST_PORT}")
        return cls(_parse_host(text, host), int(port))

    def __str__(self) -> str:
        """Return the form that `parse` accepts."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def _usage_error(text: str, why: str) -> UsageError:
    return UsageError(f"--web.listen-address: {text!r}: {why}")


def _parse_host(text: str, host: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(ipaddress.IPv6Address(host[1:-1]))
        except ipaddress.AddressValueError:
            raise _usage_error(text, f"what stands in brackets is no IPv6 address; {_FORMS}") from None
    if ":" in host:
        raise _usage_error(text, "an IPv6 address stands in brackets, as in [::1]:10511")
    if host and not _HOST_NAME.fullmatch(host):
        raise _usage_error(text, f"is no address; {_FORMS}")
    return host


def bind(addresses: Sequence[ListenAddress], open_socket: OpenSocket = socket.socket) -> list[socket.socket]:
    """Open listening, non-blocking sockets: one for each address, or several for a host name.

    `open_socket` takes family and type as socket.socket does, and raises OSError. Raises RunError, and leaves
    no socket open, where one of them cannot be opened.
    """
    with ExitStack() as opened:
        listeners = [
            opened.enter_context(listener)
            for address in addresses
            for listener in _bind_one(address, open_socket)
        ]
        opened.pop_all()
    return listeners


def _bind_one(address: ListenAddress, open_socket: OpenSocket) -> Iterator[socket.socket]:
    """Open the sockets of an address, except those that this host lacks, unless it lacks all."""
    any_opened = False
    failure: OSError | None = None
    for family, socket_address in _resolve(address):
        if any_opened and not address.host:
            return
        try:
            listener = _listen(open_socket(family, socket.SOCK_STREAM), socket_address)
        except OSError as error:
            if error.errno not in _ABSENT:
                raise _run_error(address, error) from error
            failure = failure or error
        else:
            any_opened = True
            yield listener
    if failure is not None and not any_opened:
        raise _run_error(address, failure) from failure


def _resolve(address: ListenAddress) -> list[tuple[int, _SocketAddress]]:
    """Return the families and socket addresses to try, in order. Raises RunError.

    For every interface these are the IPv6 wildcard, whose socket accepts IPv4 as well, and the IPv4 wildcard
    for hosts without IPv6. One socket for both families has one port even where the kernel chooses it.
    """
    if not address.host:
        return [
            (socket.AF_INET6, ("::", address.port, 0, 0)),
            (socket.AF_INET, ("0.0.0.0", address.port)),  # noqa: S104  (what an empty host means)
        ]
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "malformed name"
        message = f"cannot listen on {address}: the name does not resolve ({reason}); write an IP address"
        raise RunError(message) from error
    # /etc/hosts may have an address twice, and the port would be taken for the second socket.
    return list(dict.fromkeys((family, socket_address) for family, _, _, _, socket_address in found))


def _listen(listener: socket.socket, socket_address: _SocketAddress) -> socket.socket:
    """Bind a socket and let it listen. Raises OSError, and closes the socket, where that fails."""
    try:
        # Connections in TIME_WAIT of a process that ended must not block the port; a listener still does.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if listener.family == socket.AF_INET6:
            # Whether `[::]` accepts IPv4 must not depend on the sysctl bindv6only of ipv6(7).
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(socket_address)
        listener.listen(_BACKLOG)
        listener.setblocking(False)  # noqa: FBT003  (the standard library's signature)
    except BaseException:
        listener.close()
        raise
    return listener


def _run_error(address: ListenAddress, error: OSError) -> RunError:
    """Return an error that says how to remove the cause."""
    match error.errno:
        case errno.EADDRINUSE:
            advice = (
                f"the port is taken; `ss -ltnp 'sport = :{address.port}'` names the process that has it; "
                "stop that, or choose another port with --web.listen-address"
            )
        case errno.EADDRNOTAVAIL | errno.EAFNOSUPPORT:
            advice = "this machine has no such address; `ip address` lists those it has"
        case errno.EACCES | errno.EPERM:
            advice = (
                "not permitted; choose a port from 1024 up with --web.listen-address, "
                "or grant the capability CAP_NET_BIND_SERVICE"
            )
        case _:
            advice = f"{error.strerror or error}; choose another with --web.listen-address"
    return RunError(f"cannot listen on {address}: {advice}")
