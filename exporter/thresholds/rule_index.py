"""Finds the few rules that may apply to a listener among thousands.

To compare each listener with each rule takes seconds for thousands of both, in which the sampling thread does
nothing else. So each rule is in one place of an index, by one of its conditions.
"""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

from exporter.config.model import Match, Rule
from exporter.config.patterns import literal_parts
from exporter.kernel.family import AddressForm, address_form
from exporter.listeners.key import ListenerKey
from exporter.owners.owner import OWNER_FACTS, Owner

_FACTS: Final = tuple(fact for fact in OWNER_FACTS if fact.match)
# A rule for more ports is compared with every listener.
_MAX_PORTS: Final = 32
# Of a name, what tells most names apart; each length costs a lookup.
_MAX_PREFIX: Final = 16
_PATH: Final = "path"

_Place = tuple[str, object]


class RuleIndex:
    """The rules of a configuration by port, by IP, or by how names begin."""

    def __init__(self, rules: tuple[Rule, ...]) -> None:
        """Index rules in the order in which they apply."""
        self.rules = rules
        # Those with no condition that the index knows, and those at each place, by position.
        self._others: list[int] = []
        self._places: dict[_Place, list[int]] = defaultdict(list)
        self._prefix_lengths: dict[str, set[int]] = defaultdict(set)
        for position, rule in enumerate(rules):
            places = _places(rule.match)
            for place in places:
                self._places[place].append(position)
                name, value = place
                if isinstance(value, str) and name != "port":
                    self._prefix_lengths[name].add(len(value))
            if not places:
                self._others.append(position)

    def candidates(self, key: ListenerKey, owner: Owner) -> Iterator[Rule]:
        """Yield the rules that may apply to a listener, in their order; all others do not."""
        found = [self._places[place] for place in self._lookups(key, owner) if place in self._places]
        positions = sorted({*self._others, *(position for each in found for position in each)})
        return (self.rules[position] for position in positions)

    def _lookups(self, key: ListenerKey, owner: Owner) -> Iterator[_Place]:
        yield "port", key.port
        if address_form(key.protocol) is AddressForm.PATH:
            yield from self._prefixes(_PATH, key.address)
        else:
            yield "ip", ipaddress.ip_address(key.address.partition("%")[0])
        for fact in _FACTS:
            if fact.name in self._prefix_lengths:
                for name in fact.names(owner):
                    yield from self._prefixes(fact.name, name)

    def _prefixes(self, name: str, value: str) -> Iterator[_Place]:
        for length in self._prefix_lengths.get(name, ()):
            if length <= len(value):
                yield name, value[:length]


class RuleIndexes:
    """The index of the rules in force, for all that ask for it: network namespaces have the same rules."""

    def __init__(self) -> None:
        """Start with no rules."""
        self._newest = RuleIndex(())

    def of(self, rules: tuple[Rule, ...]) -> RuleIndex:
        """Return the index of these rules, made where it is not that of the last call."""
        newest = self._newest
        if newest.rules is not rules:
            newest = self._newest = RuleIndex(rules)
        return newest


def _places(match: Match) -> set[_Place]:
    """Return places, of which every listener that a rule may apply to looks at one; maybe none."""
    if match.ports and sum(last - first + 1 for first, last in match.ports) <= _MAX_PORTS:
        return {("port", str(port)) for first, last in match.ports for port in range(first, last + 1)}
    for name, globs in match.owners.items():
        places = _by_prefix(name, globs)
        if places:
            return places
    if match.paths and not match.networks:
        return _by_prefix(_PATH, match.paths)
    if match.networks and not match.paths and all(each.num_addresses == 1 for each in match.networks):
        return {("ip", each.network_address) for each in match.networks}
    return set()


def _by_prefix(name: str, globs: Sequence[str]) -> set[_Place]:
    """Return the beginnings of the names that match, none where a glob begins with a wildcard."""
    prefixes = {literal_parts(glob)[0][:_MAX_PREFIX] for glob in globs}
    return set() if "" in prefixes else {(name, prefix) for prefix in prefixes}
