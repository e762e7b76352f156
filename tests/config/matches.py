"""Matches of rules, and a small set of listeners to try them on."""

from __future__ import annotations

from ipaddress import ip_address, ip_network
from itertools import product
from typing import NamedTuple, TypeVar

from hypothesis import strategies as st

from exporter.config.model import Match

T = TypeVar("T")

PORTS = (1, 5, 6, 7, 65535)
IPS = ("10.0.0.1", "10.128.0.1", "192.0.2.1", "::1", "fd00::1")
NAMES = ("/run/a", "/run/b", "@a", "ab", "[a]b")
GLOBS = ("*", "**", "/run/*", "/run/?", "/run/a", "@a", "[a]b", "*[*", "?b", "ab")
OWNER_KEYS = ("process", "pod")
NETWORKS = [
    ip_network(text)
    for text in ("10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "0.0.0.0/0", "::/0", "::1/128", "fd00::/8")
]


class Listener(NamedTuple):
    """What rules see of a listener."""

    protocol: str
    address: str
    port: int
    owner: tuple[str, ...]


LISTENERS = [
    Listener(*place, owner)
    for place in (*product(["tcp"], IPS, PORTS), *product(["unix"], NAMES, [0]))
    for owner in product(NAMES, repeat=len(OWNER_KEYS))
]


def some(*values: T, least: int = 0) -> st.SearchStrategy[tuple[T, ...]]:
    """Return up to three of `values`."""
    return st.lists(st.sampled_from(values), min_size=least, max_size=3).map(tuple)


MATCHES = st.builds(
    Match,
    protocols=some("tcp", "unix"),
    addresses=st.tuples(some(*NETWORKS), some(*GLOBS)).map(lambda parts: (*parts[0], *parts[1])),
    ports=some((1, 1), (5, 6), (6, 7), (1, 65535), (1, 32767), (32768, 65535)),
    owners=st.dictionaries(st.sampled_from(OWNER_KEYS), some(*GLOBS, least=1)),
)


def selected(match: Match) -> set[Listener]:
    """Return which of LISTENERS a match selects, found without any of the code under test."""
    return {listener for listener in LISTENERS if selects(match, listener)}


def selects(match: Match, listener: Listener) -> bool:
    """Tell whether a match selects a listener."""
    if match.protocols and listener.protocol not in match.protocols:
        return False
    if match.ports and not any(low <= listener.port <= high for low, high in match.ports):
        return False
    if match.addresses and not _selects_address(match, listener):
        return False
    return all(
        any(matches_glob(value, glob) for glob in match.owners.get(key, ("*",)))
        for key, value in zip(OWNER_KEYS, listener.owner, strict=True)
    )


def _selects_address(match: Match, listener: Listener) -> bool:
    if listener.protocol == "tcp":
        networks = [address for address in match.addresses if not isinstance(address, str)]
        return any(ip_address(listener.address) in network for network in networks)
    globs = [address for address in match.addresses if isinstance(address, str)]
    return any(matches_glob(listener.address, glob) for glob in globs)


def matches_glob(name: str, glob: str) -> bool:
    """Tell whether a name matches a glob: `*` any characters, `?` one, and every other character itself."""
    if not glob:
        return not name
    if glob[0] == "*":
        return any(matches_glob(name[start:], glob[1:]) for start in range(len(name) + 1))
    return name != "" and glob[0] in ("?", name[0]) and matches_glob(name[1:], glob[1:])
