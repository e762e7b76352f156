"""Listening TCP sockets."""

from __future__ import annotations

import errno
import socket
from collections.abc import Callable, Iterator
from typing import Final

from exporter.errors import RunError
from exporter.web.address import ListenAddress

# The last is what getaddrinfo() returns for an IPv6 address where Python is built without IPv6.
_SocketAddress = tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes]

OpenSocket = Callable[[int, int], socket.socket]

# So many that few floods fill it: the kernel drops the SYNs of everybody then, and a client sends the next
# after a second. It admits net.core.somaxconn at most.
BACKLOG: Final = 2048
# This host has no such address, or its address family is missing or disabled.
_ABSENT: Final = frozenset({errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL})


def open_tcp(address: ListenAddress, open_socket: OpenSocket) -> Iterator[socket.socket]:
    """Open the sockets of an address, except those that this host lacks, unless it lacks all.

    Raises RunError.
    """
    any_opened = False
    failure: OSError | None = None
    for family, socket_address in _resolve(address):
        if any_opened and not address.host:
            return
        try:
            listener = _listen(open_socket(family, socket.SOCK_STREAM), address.device, socket_address)
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
    _, percent, zone = address.host.partition("%")
    if percent:
        _check_zone(address, zone)
    try:
        found = socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "malformed name"
        message = f"cannot listen on {address}: the name does not resolve ({reason}); write an IP address"
        raise RunError(message) from error
    # /etc/hosts may have an address twice, and the port would be taken for the second socket.
    return list(dict.fromkeys((family, socket_address) for family, _, _, _, socket_address in found))


def _check_zone(address: ListenAddress, zone: str) -> None:
    try:
        socket.if_nametoindex(zone)
    except OSError as error:
        if not zone.isdigit():
            raise _no_interface(address, zone) from error


def _listen(listener: socket.socket, device: str, socket_address: _SocketAddress) -> socket.socket:
    """Bind a socket and let it listen. Raises OSError, and closes the socket, where that fails."""
    try:
        # Connections in TIME_WAIT of a process that ended must not block the port; a listener still does.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if device:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        if listener.family == socket.AF_INET6:
            # Whether `[::]` accepts IPv4 must not depend on the sysctl bindv6only of ipv6(7).
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind(socket_address)
        if listener.family == socket.AF_INET:
            _refuse_broadcast(listener)
        listener.listen(BACKLOG)
        listener.setblocking(False)  # noqa: FBT003  (the standard library's signature)
    except BaseException:
        listener.close()
        raise
    return listener


def _refuse_broadcast(listener: socket.socket) -> None:
    """Raise OSError with ENETUNREACH for an address that bind() accepts, and no client can connect to."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            # It sends nothing. Without SO_BROADCAST a broadcast address of an interface is refused.
            probe.connect((listener.getsockname()[0], 1))
        except OSError as error:
            if error.errno == errno.EACCES:
                raise OSError(errno.ENETUNREACH, "broadcast address") from error


def _no_interface(address: ListenAddress, name: str) -> RunError:
    return RunError(
        f"cannot listen on {address}: this machine has no interface {name!r}; `ip link` lists those it has"
    )


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
        case errno.ENETUNREACH:
            advice = "nobody can connect to a broadcast address; write one of an interface"
        case errno.ENODEV if address.device:
            return _no_interface(address, address.device)
        case errno.EPERM if address.device:
            # A port is refused with EACCES (ip(7)).
            advice = (
                "not permitted; before Linux 5.7, to bind to an interface takes the capability CAP_NET_RAW"
            )
        case errno.EACCES | errno.EPERM:
            advice = (
                "not permitted; choose a port from 1024 up with --web.listen-address, "
                "or grant the capability CAP_NET_BIND_SERVICE"
            )
        case _:
            advice = f"{error.strerror or error}; choose another with --web.listen-address"
    return RunError(f"cannot listen on {address}: {advice}")
