"""An entry of `match.address`: a network for tcp, or a pattern for the names of unix sockets."""

from __future__ import annotations

import ipaddress
import re

from exporter.config.errors import shown
from exporter.config.model import Network
from exporter.config.values import Scalar, Text, WrongValueError

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

_CIDR = re.compile(r"([^/]+)/(0|[1-9][0-9]{0,2})")
# Digits with dots, or anything of hexadecimal digits with a colon: nobody names a socket so, and who
# writes it has an IP in mind. Patterns, ranges, brackets and ports are part of the net thrown here.
_LIKE_AN_IP = re.compile(
    r"[0-9]+(?:\.[0-9.*?:-]*)?(?:/[0-9.]*)?"
    r"|\[?[0-9a-fA-F.*]*:[0-9a-fA-F.:*?-]*(?:\](?::[0-9]*)?)?(?:/[0-9.]*)?"
)


class Address:
    """Reads an IP or a CIDR as a network (an IP is a network of one), and any other text as a pattern.

    A network is compared with the address as the listener shows it. So an IPv4-mapped IPv6 address
    (`::ffff:10.0.0.1`) is an IPv6 network, and matches only listeners bound to the mapped form. An
    address with a zone or a device (`fe80::1%eth0`) is an error: the rule's address says nothing
    about devices, and `fe80::1` matches on all of them.

    Text that looks like an IP without being one is an error too, and never a pattern. A unix socket
    with such a name can still be matched by a pattern with its first character in brackets: `[8]080`.
    """

    allowed = (
        "write an IP such as 127.0.0.1, a network such as 10.0.0.0/8, or a pattern for unix names"
        ' such as "/run/php/*.sock" or "@abstract"'
    )

    def read(self, scalar: Scalar) -> Network | str:
        """Return the network or the pattern; raises WrongValueError."""
        text = Text(self.allowed).read(scalar)
        network = _network(text)
        if network is not None:
            return network
        if _LIKE_AN_IP.fullmatch(text):
            raise WrongValueError(f"{scalar.shown} is neither an IP nor a network{_hint(text)}")
        return text


def _network(text: str) -> Network | None:
    bare, device, _ = text.partition("%")
    found = _CIDR.fullmatch(bare)
    ip = _ip(found[1] if found else bare)
    if ip is None:
        return None
    if device:
        raise WrongValueError(
            f"{shown(text)} names a device, and an address is matched on every device", f"write {bare}"
        )
    return _masked(ip, int(found[2])) if found else ipaddress.ip_network(ip)


def _masked(ip: _Ip, bits: int) -> Network:
    if bits > ip.max_prefixlen:
        raise WrongValueError(f"{ip}/{bits} has too many bits, IPv{ip.version} has {ip.max_prefixlen}")
    network = ipaddress.ip_network((ip, bits), strict=False)
    if network.network_address != ip:
        raise WrongValueError(f"{ip}/{bits} does not begin a network", f"write {network} or {ip}")
    return network


def _ip(text: str) -> _Ip | None:
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _hint(text: str) -> str:
    if "*" in text or "?" in text or "-" in text:
        return " (a network is written with a slash, not as a pattern or a range)"
    if text.startswith("["):
        return " (no brackets and no port here; ports go under port)"
    if re.fullmatch(r"[0-9.]+:[0-9]+|:[0-9]+", text):
        return " (no port here; ports go under port)"
    return ""
