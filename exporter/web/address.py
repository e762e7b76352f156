"""Listen addresses: text in, values out."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass
from typing import Final, Self

from exporter.errors import UsageError

_HIGHEST_PORT: Final = 65535
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
# RFC 1123, section 2.1; underscores occur in names of containers.
_HOST_NAME: Final = re.compile(rf"(?=.{{1,253}}\Z){_LABEL}(?:\.{_LABEL})*\.?")
# What inet_aton(3) takes for a number, and a person for a mistake.
_NUMBERS: Final = re.compile(r"(?:0[xX][0-9a-fA-F]*|[0-9]+)(?:\.(?:0[xX][0-9a-fA-F]*|[0-9]+))*\.?")
# dev_valid_name() in the kernel's net/core/dev.c; `%` would be a zone.
_DEVICE: Final = re.compile(r"[^\s/:%]{1,15}")
_FORMS: Final = (
    "write :10511, 127.0.0.1:10511, [::1]:10511, a host name and a port, or unix:/run/exporter.sock"
)
_UNIX: Final = "unix:"
# sun_path of unix(7), with the NUL at its end.
_MAX_PATH_BYTES: Final = 107


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """A host and a port; an empty host means every interface of both families, port 0 any free port.

    With a `device` only packets that come in on this interface are accepted (SO_BINDTODEVICE of socket(7)).
    """

    host: str
    port: int
    device: str = ""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `HOST:PORT`, `[IPV6]:PORT` or `:PORT`, and `%DEVICE` behind it. Raises UsageError."""
        if "/" in text:
            raise usage_error(text, f"is no address; {_FORMS}")
        host, colon, rest = text.rpartition(":")
        port, percent, device = rest.partition("%")
        if not (colon and port.isascii() and port.isdigit()):
            raise usage_error(text, f"has no port; {_FORMS}")
        if len(port) > len(str(_HIGHEST_PORT)) or int(port) > _HIGHEST_PORT:
            raise usage_error(text, f"the port must be 0 to {_HIGHEST_PORT}")
        if percent and not _DEVICE.fullmatch(device):
            raise usage_error(text, "what follows % is the name of an interface, as in 0.0.0.0:10511%eth1")
        if "," in text:
            raise usage_error(text, "is more than one address; repeat the flag for each")
        return cls(_parse_host(text, host), int(port), device)

    def __str__(self) -> str:
        """Return the form that `parse` accepts."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" + (f"%{self.device}" if self.device else "")


@dataclass(frozen=True, slots=True)
class UnixAddress:
    """The path of a unix socket."""

    path: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `unix:/PATH`. Raises UsageError."""
        path = text.removeprefix(_UNIX)
        if not path.startswith("/") or path.endswith("/"):
            raise usage_error(
                text, "unix: is followed by the absolute path of a file, as in unix:/run/x.sock"
            )
        if not path.isprintable():
            raise usage_error(text, "the path has characters that cannot be printed")
        if len(path.encode()) > _MAX_PATH_BYTES:
            raise usage_error(text, f"the path of a unix socket has {_MAX_PATH_BYTES} bytes at most")
        return cls(path)

    def __str__(self) -> str:
        """Return the form that `parse` accepts."""
        return f"{_UNIX}{self.path}"


Address = ListenAddress | UnixAddress


def parse_address(text: str) -> Address:
    """Return the address of either kind. Raises UsageError."""
    return UnixAddress.parse(text) if text.startswith(_UNIX) else ListenAddress.parse(text)


def usage_error(text: str, why: str) -> UsageError:
    """Return the error of an address that cannot be served."""
    return UsageError(f"--web.listen-address: {text!r}: {why}")


def _parse_host(text: str, host: str) -> str:
    if host.startswith("[") and host.endswith("]"):
        return _parse_ipv6(text, host[1:-1])
    if ":" in host:
        raise usage_error(text, "an IPv6 address stands in brackets, as in [::1]:10511")
    if _NUMBERS.fullmatch(host):
        return _parse_ipv4(text, host)
    if host and not _HOST_NAME.fullmatch(host):
        raise usage_error(text, f"is no address; {_FORMS}")
    return host


def _parse_ipv4(text: str, host: str) -> str:
    try:
        # Also forms as 127.1, which every other program understands.
        address = ipaddress.IPv4Address(socket.inet_aton(host))
    except OSError:
        raise usage_error(text, "an IPv4 address has four numbers from 0 to 255, as in 127.0.0.1") from None
    if address.is_multicast or address == ipaddress.IPv4Address("255.255.255.255"):
        raise usage_error(
            text, "nobody can connect to a multicast or broadcast address; write one of an interface"
        )
    return str(address)


def _parse_ipv6(text: str, host: str) -> str:
    try:
        address = ipaddress.IPv6Address(host)
    except ipaddress.AddressValueError:
        raise usage_error(text, f"what stands in brackets is no IPv6 address; {_FORMS}") from None
    if address.ipv4_mapped:
        # A mapped address admits IPv4 only, and needs no IPv6 socket for that.
        return _parse_ipv4(text, str(address.ipv4_mapped))
    if address.is_multicast:
        raise usage_error(text, "nobody can connect to a multicast address; write one of an interface")
    if address.is_link_local and not address.scope_id:
        raise usage_error(text, "a link-local address needs its interface, as in [fe80::1%eth0]:10511")
    if address.scope_id and not address.is_link_local:
        raise usage_error(text, "only a link-local address has an interface; write %eth0 behind the port")
    return str(address)
