"""Which listeners a match takes: whether there can be any, and whether it leaves any to a later one.

Judged from the configuration alone and on the safe side: a pattern counts as inside another only where
that is plain. Two rules that together cover a third are not seen.
"""

from __future__ import annotations

import ipaddress
from fnmatch import fnmatchcase

from exporter.config.model import Match, Network, Protocol

HIGHEST_PORT = 65535

_EVERY_PORT = ((1, HIGHEST_PORT),)
_EVERY_NETWORK: tuple[Network, ...] = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


def _reach(match: Match) -> frozenset[Protocol]:
    """Return the protocols of the listeners that `match` can take; none where it contradicts itself."""
    protocols = set(match.protocols or Protocol)
    if match.paths and not match.networks:
        protocols.discard(Protocol.TCP)
    if match.ports or (match.networks and not match.paths):
        protocols.discard(Protocol.UNIX)
    return frozenset(protocols)


def contradiction(match: Match) -> tuple[str, str] | None:
    """Return the key at fault and why no listener can match, or None where one can."""
    if _reach(match):
        return None
    if Protocol.TCP in match.protocols or not match.protocols:
        asked = "protocol tcp" if match.protocols else "a port"
        return "address", (
            f"no listener can match: {asked} goes with IPs and networks, and names are for unix sockets;"
            " write an IP or a network, or take address out"
        )
    key, what = ("port", "port") if match.ports else ("address", "IP")
    return key, f"no listener can match: unix sockets have no {what}; write protocol tcp, or take {key} out"


def covers(earlier: Match, later: Match) -> bool:
    """Return whether every listener that `later` matches is matched by `earlier` as well."""
    if not _owners_cover(earlier, later):
        return False
    wanted = _reach(later)
    return (Protocol.TCP not in wanted or _tcp_covers(earlier, later)) and (
        Protocol.UNIX not in wanted or _unix_covers(earlier, later)
    )


def _tcp_covers(earlier: Match, later: Match) -> bool:
    return (
        Protocol.TCP in _reach(earlier)
        and _ports_cover(earlier.ports or _EVERY_PORT, later.ports or _EVERY_PORT)
        and _networks_cover(earlier.networks or _EVERY_NETWORK, later.networks or _EVERY_NETWORK)
    )


def _unix_covers(earlier: Match, later: Match) -> bool:
    return Protocol.UNIX in _reach(earlier) and _patterns_cover(earlier.paths, later.paths)


def _owners_cover(earlier: Match, later: Match) -> bool:
    return all(
        _patterns_cover(patterns, later.owners.get(key, ())) for key, patterns in earlier.owners.items()
    )


def _ports_cover(earlier: tuple[tuple[int, int], ...], later: tuple[tuple[int, int], ...]) -> bool:
    merged = _merged(earlier)
    return all(any(low <= first and last <= high for low, high in merged) for first, last in later)


def _merged(ranges: tuple[tuple[int, int], ...]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for first, last in sorted(ranges):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return merged


def _networks_cover(earlier: tuple[Network, ...], later: tuple[Network, ...]) -> bool:
    v4 = list(ipaddress.collapse_addresses(n for n in earlier if isinstance(n, ipaddress.IPv4Network)))
    v6 = list(ipaddress.collapse_addresses(n for n in earlier if isinstance(n, ipaddress.IPv6Network)))
    return all(
        any(network.subnet_of(wider) for wider in v4)
        if isinstance(network, ipaddress.IPv4Network)
        else any(network.subnet_of(wider) for wider in v6)
        for network in later
    )


def _patterns_cover(earlier: tuple[str, ...], later: tuple[str, ...]) -> bool:
    """Return whether every name that fits a pattern of `later` fits one of `earlier`; () fits any name."""
    if not earlier or any(set(pattern) == {"*"} for pattern in earlier):
        return True
    return bool(later) and all(any(_inside(pattern, wider) for wider in earlier) for pattern in later)


def _inside(pattern: str, wider: str) -> bool:
    literal = not any(character in pattern for character in "*?[")
    return pattern == wider or (literal and fnmatchcase(pattern, wider))
