"""The type of `match.address`: an IP or a network, or a pattern for the names of unix sockets."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass

from exporter.config.patterns import escaped
from exporter.yamlfile.errors import printable
from exporter.yamlfile.scalar import Scalar, WrongValueError
from exporter.yamlfile.values import TEXT_SCHEMA, Format, ScalarValue, parse_text

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address

# How listen addresses of programs are written, and the first byte of an abstract name.
_UNIX_PREFIX = "unix:"
_NUL = r"\x00"
_CIDR = re.compile(r"([^/]+)/(0|[1-9][0-9]{0,2})")
# Those of IPv6 in front of the 32 of a mapped IPv4 address.
_MAPPED_BITS = 96
# Digits with dots, or hexadecimal digits with a colon, together with wildcards, ranges, brackets, ports and
# netmasks in them: text of this form is meant as an IP, not as the name of a unix socket.
_LIKE_AN_IP = re.compile(
    r"[0-9]+(?:\.[0-9.*?:-]*)?(?:/[0-9.]*)?"
    r"|\[?[0-9a-fA-F.*]*:[0-9a-fA-F.:*?-]*(?:\](?::[0-9]*)?)?(?:/[0-9.]*)?"
)


@dataclass(frozen=True, slots=True)
class Address(ScalarValue[Network | str]):
    """An IP or a CIDR, read as a network (an IP as a network of one), or any other text, read as a pattern.

    A network is compared with the address as the listener shows it, and a listener that is bound to an
    IPv4-mapped IPv6 address (RFC 4291, 2.5.5.2) shows the IPv4 address. So `::ffff:10.0.0.1` is read as
    10.0.0.1, and `::ffff:10.0.0.0/104` as 10.0.0.0/8. An address with a zone or a device (`fe80::1%eth0`) is
    an error, because a rule does not compare devices: `fe80::1` matches on all of them.

    Text that looks like an IP without being one is an error, not a pattern. A unix socket with such a name
    is matched by a pattern with `?` in place of the first character: `?080` for 8080.
    """

    @property
    def format(self) -> Format:
        """The three forms, each with an example."""
        return Format(
            noun="address",
            values="an IP, a network in CIDR notation, or a pattern for unix names",
            allowed="write an IP such as 127.0.0.1, a network such as 10.0.0.0/8, or a pattern for unix names"
            ' such as "/run/php/*.sock" or "@abstract"',
            schema=TEXT_SCHEMA,
        )

    def parse(self, scalar: Scalar) -> Network | str:
        """Return the network or the pattern; raises WrongValueError."""
        text = parse_text(scalar)
        network = _network(text)
        if network is not None:
            return network
        if _LIKE_AN_IP.fullmatch(text):
            raise WrongValueError(f"{scalar.display} is neither an IP nor a network{_hint(text)}")
        advice = _advice(text)
        if advice:
            raise WrongValueError(f"{scalar.display} can match nothing: {advice[0]}", advice[1])
        return text


def _advice(text: str) -> tuple[str, str] | None:
    """Return why no unix socket has a name like that, and what to write instead; None where one may."""
    if text == "localhost":
        return "names of hosts are not looked up", 'write ["127.0.0.0/8", "::1"]'
    if text.startswith(_UNIX_PREFIX):
        return "names of unix sockets have no prefix", f'write "{text.removeprefix(_UNIX_PREFIX) or "*"}"'
    if text.startswith(_NUL):
        return "abstract names begin with @", f'write "@{text.removeprefix(_NUL)}"'
    if escaped(text) != text:
        return r"names have \x5c for a backslash", f"write '{escaped(text)}'"
    return None


def _network(text: str) -> Network | None:
    bare, device, _ = text.partition("%")
    found = _CIDR.fullmatch(bare)
    ip = _ip(found[1] if found else bare)
    if ip is None:
        return None
    if device:
        raise WrongValueError(
            f"{printable(text)} names a device, and an address is matched on every device", f"write {bare}"
        )
    if found is None:
        return ipaddress.ip_network(_mapped_ipv4(ip) or ip)
    return _masked(bare, ip, int(found[2]))


def _masked(text: str, ip: _Ip, bits: int) -> Network:
    """Return the network that `text` is, an IP with so many leading bits; raises WrongValueError."""
    if bits > ip.max_prefixlen:
        raise WrongValueError(f"{text} has too many bits, IPv{ip.version} has {ip.max_prefixlen}")
    ipv4 = _mapped_ipv4(ip)
    if ipv4 is not None and bits < _MAPPED_BITS:
        raise WrongValueError(
            f"{text} does not begin a network", "write 0.0.0.0/0 for all of IPv4, or ::/0 for all of IPv6"
        )
    first, length = (ip, bits) if ipv4 is None else (ipv4, bits - _MAPPED_BITS)
    network = ipaddress.ip_network((first, length), strict=False)
    if network.network_address != first:
        raise WrongValueError(f"{text} does not begin a network", f"write {network} or {first}")
    return network


def _mapped_ipv4(ip: _Ip) -> ipaddress.IPv4Address | None:
    return ip.ipv4_mapped if isinstance(ip, ipaddress.IPv6Address) else None


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
