"""Which listeners a match takes: whether there can be any, and whether it leaves any to a later one.

Judged from the configuration alone and on the safe side: a pattern counts as inside another only where
that is plain. Two rules that together cover a third are not seen.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from exporter.config.model import Match, Network
from exporter.kernel.records import ListenerProtocol

HIGHEST_PORT = 65535

Ranges = tuple[tuple[int, int], ...]

_EVERY_PORT: Ranges = ((1, HIGHEST_PORT),)
# IPs as numbers on one line: IPv4 from 0, IPv6 well behind it so that the two never touch.
_IPV6_FROM = 1 << 33
_EVERY_IP: Ranges = ((0, 2**32 - 1), (_IPV6_FROM, _IPV6_FROM + 2**128 - 1))


@dataclass(frozen=True, slots=True)
class Coverage:
    """What a match takes, in a form made for comparing it with many others. Ranges have both ends in them."""

    protocols: frozenset[ListenerProtocol]
    ports: Ranges
    ips: Ranges
    names: tuple[str, ...]
    owners: dict[str, tuple[str, ...]]

    @classmethod
    def of(cls, match: Match) -> Coverage:
        """Return what `match` takes."""
        return cls(
            protocols=_reach(match),
            ports=_merged(match.ports) or _EVERY_PORT,
            ips=_merged(map(_range, match.networks)) or _EVERY_IP,
            names=match.paths,
            owners=match.owners,
        )

    def covers(self, later: Coverage) -> bool:
        """Return whether every listener that `later` takes is taken here as well."""
        return (
            later.protocols <= self.protocols
            and (ListenerProtocol.TCP not in later.protocols or self._covers_tcp(later))
            and (ListenerProtocol.UNIX not in later.protocols or _patterns_cover(self.names, later.names))
            and all(_patterns_cover(own, later.owners.get(key, ())) for key, own in self.owners.items())
        )

    def _covers_tcp(self, later: Coverage) -> bool:
        return _ranges_cover(self.ports, later.ports) and _ranges_cover(self.ips, later.ips)


def contradiction(match: Match) -> tuple[str, str] | None:
    """Return the key at fault and why no listener can match, or None where one can."""
    if _reach(match):
        return None
    if ListenerProtocol.TCP in match.protocols or not match.protocols:
        asked = "protocol tcp" if match.protocols else "a port"
        return "address", (
            f"no listener can match: {asked} goes with IPs and networks, and names are for unix sockets;"
            " write an IP or a network, or take address out"
        )
    key, what = ("port", "port") if match.ports else ("address", "IP")
    return key, f"no listener can match: unix sockets have no {what}; write protocol tcp, or take {key} out"


def _reach(match: Match) -> frozenset[ListenerProtocol]:
    """Return the protocols of the listeners that `match` can take; none where it contradicts itself."""
    protocols = set(match.protocols or ListenerProtocol)
    if match.paths and not match.networks:
        protocols.discard(ListenerProtocol.TCP)
    if match.ports or (match.networks and not match.paths):
        protocols.discard(ListenerProtocol.UNIX)
    return frozenset(protocols)


def _range(network: Network) -> tuple[int, int]:
    start = 0 if network.version == 4 else _IPV6_FROM  # noqa: PLR2004  # the version is its own name
    return start + int(network.network_address), start + int(network.broadcast_address)


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    """Return the ranges in order, those that overlap or touch made one."""
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return tuple(merged)


def _ranges_cover(earlier: Ranges, later: Ranges) -> bool:
    return all(any(low <= first and last <= high for low, high in earlier) for first, last in later)


def _patterns_cover(earlier: tuple[str, ...], later: tuple[str, ...]) -> bool:
    """Return whether every name that fits a pattern of `later` fits one of `earlier`; () fits any name."""
    if not earlier or any(set(pattern) == {"*"} for pattern in earlier):
        return True
    return bool(later) and all(any(_inside(pattern, wider) for wider in earlier) for pattern in later)


def _inside(pattern: str, wider: str) -> bool:
    literal = not any(character in pattern for character in "*?[")
    return pattern == wider or (literal and fnmatchcase(pattern, wider))
