"""Which rule of the configuration applies to a listener."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from exporter.config.model import DEFAULTS, Config, Export, Match, Thresholds
from exporter.config.patterns import pattern_set
from exporter.kernel.family import AddressForm, address_form
from exporter.listeners.key import ListenerKey
from exporter.owners.owner import OWNER_FACTS, Owner
from exporter.thresholds.rule_index import RuleIndexes

_INDEXES: Final = RuleIndexes()
_MATCH_FACTS = {fact.name: fact for fact in OWNER_FACTS if fact.match}


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """What the configuration says of one listener. `rule` is the name of the rule that matched."""

    rule: str
    export: Export
    thresholds: Thresholds
    fold: bool = False


class RuleSet:
    """The rules in the order of the file: the first that matches applies, else the defaults.

    They apply to the listeners of one network namespace.
    """

    def __init__(self, config: Config, netns_number: str = "") -> None:
        """Take the rules of a valid configuration, and the number of the namespace beside its label."""
        self._netns_number = netns_number
        self.configure(config)

    def set_netns_number(self, netns_number: str) -> None:
        """Take the number of another namespace with the same label."""
        self._netns_number = netns_number

    def configure(self, config: Config) -> None:
        """Take the rules of another configuration."""
        self._index = _INDEXES.of(config.rules)
        self._defaults = RuleMatch(DEFAULTS, config.defaults.export, config.defaults.thresholds)

    def match(self, key: ListenerKey, owner: Owner) -> RuleMatch:
        """Return what applies to a listener."""
        for rule in self._index.candidates(key, owner):
            if matches(rule.match, key, owner, self._netns_number):
                return RuleMatch(rule.name, rule.export, rule.thresholds, rule.fold)
        return self._defaults


def matches(match: Match, key: ListenerKey, owner: Owner, netns_number: str = "") -> bool:
    """Tell whether a rule with this `match` applies to a listener. An empty one matches every listener.

    A namespace is matched by its label, or by its number where it has one.
    """
    return (
        (not match.protocols or key.protocol in match.protocols)
        and (not match.ports or _port_in(key.port, match.ports))
        and (not match.netns or _netns_in(key.netns, netns_number, match.netns))
        and ((not match.networks and not match.paths) or _address_in(key, match))
        and all(_owner_in(owner, name, globs) for name, globs in match.owners.items())
    )


def _netns_in(netns: str, number: str, globs: tuple[str, ...]) -> bool:
    patterns = pattern_set(globs)
    return patterns.matches(netns) or (number != "" and patterns.matches(number))


def _owner_in(owner: Owner, fact: str, globs: tuple[str, ...]) -> bool:
    return any(map(pattern_set(globs).matches, _MATCH_FACTS[fact].names(owner)))


def _port_in(port: str, ranges: Iterable[tuple[int, int]]) -> bool:
    return port != "" and any(first <= int(port) <= last for first, last in ranges)


def _address_in(key: ListenerKey, match: Match) -> bool:
    if address_form(key.protocol) is AddressForm.PATH:
        return pattern_set(match.paths).matches(key.address)
    bound = ipaddress.ip_address(key.address.partition("%")[0])
    return any(bound in network for network in match.networks)
