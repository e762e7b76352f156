"""Which rule of the configuration applies to a listener."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import translate
from functools import lru_cache

from exporter.config.model import DEFAULTS, Config, Match, Thresholds
from exporter.kernel.family import AddressForm, address_form
from exporter.listeners.key import ListenerKey
from exporter.owners.owner import OWNER_FACTS, Owner


@dataclass(frozen=True, slots=True)
class RuleMatch:
    """What the configuration says of one listener. `rule` is the name of the rule that matched."""

    rule: str
    export: bool
    thresholds: Thresholds


class RuleSet:
    """The rules in the order of the file: the first that matches applies, else the defaults."""

    def __init__(self, config: Config) -> None:
        """Take the rules of a valid configuration."""
        self._rules = config.rules
        self._defaults = RuleMatch(DEFAULTS, export=True, thresholds=config.defaults)

    def match(self, key: ListenerKey, owner: Owner) -> RuleMatch:
        """Return what applies to a listener."""
        for rule in self._rules:
            if matches(rule.match, key, owner):
                return RuleMatch(rule.name, rule.export, rule.thresholds)
        return self._defaults


def matches(match: Match, key: ListenerKey, owner: Owner) -> bool:
    """Tell whether a rule with this `match` applies to a listener. An empty one matches every listener."""
    facts = {fact.name: fact.of(owner) for fact in OWNER_FACTS if fact.match}
    return (
        (not match.protocols or key.protocol in match.protocols)
        and (not match.ports or _port_in(key.port, match.ports))
        and (not match.netns or _glob_in(key.netns, match.netns))
        and ((not match.networks and not match.paths) or _address_in(key, match))
        and all(_glob_in(facts[name], globs) for name, globs in match.owners.items())
    )


def _port_in(port: str, ranges: Iterable[tuple[int, int]]) -> bool:
    return port != "" and any(first <= int(port) <= last for first, last in ranges)


def _address_in(key: ListenerKey, match: Match) -> bool:
    if address_form(key.protocol) is AddressForm.PATH:
        return _glob_in(key.address, match.paths)
    bound = ipaddress.ip_address(key.address.partition("%")[0])
    return any(bound in network for network in match.networks)


def _glob_in(text: str, globs: Iterable[str]) -> bool:
    return any(_pattern(glob).fullmatch(text) for glob in globs)


@lru_cache(maxsize=1024)
def _pattern(glob: str) -> re.Pattern[str]:
    return re.compile(translate(glob))
