"""Which listeners a match selects: whether there can be any, and whether another match selects them all.

Decided from the configuration alone, and only where it is certain. That two matches together select all
listeners of a third is not found.
"""

from __future__ import annotations

from dataclasses import dataclass

from exporter.config.model import Match, Network
from exporter.config.patterns import ALL_NAMES, PatternSet
from exporter.config.ports import MAX_PORT
from exporter.config.ranges import Ranges, covers, merged
from exporter.kernel.family import FAMILIES, AddressForm, address_form
from exporter.yamlfile.node import either

PROTOCOLS = tuple(family.protocol for family in FAMILIES)
ALL_PORTS: Ranges = ((1, MAX_PORT),)

# IPs as whole numbers: IPv4 from 0 on, IPv6 from 2^128 on.
_FIRST_IPV6 = 1 << 128
ALL_IPS: Ranges = ((0, (1 << 32) - 1), (_FIRST_IPV6, _FIRST_IPV6 + (1 << 128) - 1))


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a match selects, in a form made for comparing it with many others.

    `ports` and `ips` limit protocols whose addresses are IPs, `paths` those whose addresses are paths.
    `names` has the other keys of the match that are there.
    """

    protocols: frozenset[str]
    ports: Ranges
    ips: Ranges
    paths: PatternSet
    names: dict[str, PatternSet]

    @classmethod
    def of(cls, match: Match) -> Coverage:
        """Return what `match` selects."""
        names = {"netns": match.netns, **match.owners}
        return cls(
            protocols=_possible_protocols(match),
            ports=merged(match.ports) or ALL_PORTS,
            ips=merged(map(_range, match.networks)) or ALL_IPS,
            paths=PatternSet(match.paths) if match.paths else ALL_NAMES,
            names={key: PatternSet(globs) for key, globs in names.items() if globs},
        )

    @property
    def address_forms(self) -> set[AddressForm]:
        """The forms of address of the protocols."""
        return {address_form(protocol) for protocol in self.protocols}

    def covers(self, other: Coverage) -> bool:
        """Return whether every listener that `other` selects is certainly selected here."""
        return (
            other.protocols <= self.protocols
            and all(self._covers_addresses(other, form) for form in other.address_forms)
            and all(own.covers(other.names.get(key, ALL_NAMES)) for key, own in self.names.items())
        )

    def _covers_addresses(self, other: Coverage, form: AddressForm) -> bool:
        if form is AddressForm.PATH:
            return self.paths.covers(other.paths)
        return covers(self.ports, other.ports) and covers(self.ips, other.ips)


def contradiction(match: Match) -> tuple[str, str] | None:
    """Return the key that is wrong and why no listener can match, or None where one can."""
    if _possible_protocols(match):
        return None
    with_ip, with_path = (_with_addresses(form) for form in (AddressForm.IP, AddressForm.PATH))
    wanted = [protocol for protocol in with_ip if protocol in match.protocols]
    if wanted or not match.protocols:
        subject = f"protocol {either(wanted)}" if wanted else "a port"
        return "address", (
            f"no listener can match: {subject} goes with IPs and networks,"
            f" and names are for {either(with_path)} sockets; write an IP or a network, or take address out"
        )
    key, what = ("port", "port") if match.ports else ("address", "IP")
    return key, (
        f"no listener can match: {either(with_path)} sockets have no {what};"
        f" write protocol {either(with_ip)}, or take {key} out"
    )


def _possible_protocols(match: Match) -> frozenset[str]:
    """Return the protocols of the listeners that `match` can select; none where it contradicts itself."""
    protocols = match.protocols or PROTOCOLS
    return frozenset(protocol for protocol in protocols if _is_possible(match, address_form(protocol)))


def _is_possible(match: Match, form: AddressForm) -> bool:
    """Return whether listeners with this form of address can match; only an IP has a port beside it."""
    if form is AddressForm.PATH:
        return not match.ports and (bool(match.paths) or not match.networks)
    return bool(match.networks) or not match.paths


def _with_addresses(form: AddressForm) -> list[str]:
    return [protocol for protocol in PROTOCOLS if address_form(protocol) is form]


def _range(network: Network) -> tuple[int, int]:
    start = 0 if network.version == 4 else _FIRST_IPV6  # noqa: PLR2004  # the number of the version
    return start + int(network.network_address), start + int(network.broadcast_address)
