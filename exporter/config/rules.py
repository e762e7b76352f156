"""The list of rules, of which the first that matches a listener gives its thresholds."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.config.coverage import Coverage, contradiction
from exporter.config.first_cover import first_covering
from exporter.config.folding import first_with_same_labels
from exporter.config.level_order import PartialThresholds, check_level_order
from exporter.config.model import Defaults, Match, Rule
from exporter.config.namespaces import SampledNamespaces
from exporter.yamlfile.errors import printable
from exporter.yamlfile.key import key_of
from exporter.yamlfile.node import ConfigNode, either
from exporter.yamlfile.section import Section, SectionList

_NAME = key_of(Rule, "name").type.format


@dataclass(frozen=True, slots=True)
class _ReadRule:
    """A rule and its place in the file. `match` is None where it is wrong: it is not compared with others."""

    node: ConfigNode
    section: Section[Rule]
    rule: Rule
    match: Match | None

    def __str__(self) -> str:
        name = f"{printable(self.rule.name)}, " if self.rule.name else ""
        return f"{self.node.path} ({name}line {self.node.line})"


def read_rules(
    rules: SectionList[Rule],
    defaults: Defaults,
    default_levels: PartialThresholds,
    namespaces: SampledNamespaces,
    labels: Sequence[str],
) -> tuple[Rule, ...]:
    """Return the rules in their order, completed from `defaults`. Errors are added to their nodes."""
    read = [
        _read(section.node, section, defaults, default_levels, namespaces)
        for section in rules.sections
        if section.node
    ]
    _check_names(read)
    _check_coverage(read)
    _check_folding(read, labels)
    return tuple(each.rule for each in read)


def _read(
    node: ConfigNode,
    section: Section[Rule],
    defaults: Defaults,
    default_levels: PartialThresholds,
    namespaces: SampledNamespaces,
) -> _ReadRule:
    if node.is_mapping and "name" not in section.nodes:
        node.add_error(f"the rule has no name; {_NAME.allowed}")
    check_level_order(section.section("thresholds"), default_levels)
    rule = section.complete(Rule(name="", thresholds=defaults.thresholds, export=defaults.export))
    valid = _check_match(section.section("match"), rule.match, namespaces)
    # An unknown key of the rule may be meant for its match.
    return _ReadRule(node, section, rule, rule.match if valid and section.known_keys else None)


def _check_match(section: Section[Match], match: Match, namespaces: SampledNamespaces) -> bool:
    """Return whether a match is right: each value, and all of them together."""
    if not section.valid:
        return False
    contradictory = contradiction(match)
    if contradictory:
        key, reason = contradictory
        section.nodes[key].add_error(reason)
    not_sampled = namespaces.contradiction(match.netns)
    if not_sampled:
        section.nodes["netns"].add_error(f"no listener can match: {not_sampled}")
    return not (contradictory or not_sampled)


def _check_names(rules: Sequence[_ReadRule]) -> None:
    first: dict[str, _ReadRule] = {}
    for each in rules:
        node = each.section.nodes.get("name")
        earlier = first.setdefault(each.rule.name, each)
        if each.rule.name and node and earlier is not each:
            node.add_error(f"{earlier} has the same name; every rule needs its own")


def _check_coverage(rules: Sequence[_ReadRule]) -> None:
    """Add an error for each rule that comes after one which matches every listener that it matches."""
    compared = [(each, Coverage.of(each.match)) for each in rules if each.match is not None]
    positions = first_covering([coverage for _, coverage in compared])
    for (each, _), position in zip(compared, positions, strict=True):
        if position is None:
            continue
        earlier, _ = compared[position]
        node = each.section.nodes.get("match") or each.node
        node.add_error(
            f"no listener can match: {earlier} comes first and takes all that this rule asks for;"
            " write this rule before it, or take it out"
        )


def _check_folding(rules: Sequence[_ReadRule], labels: Sequence[str]) -> None:
    """Add an error for each rule that may fold listeners into one with the labels of another rule's."""
    folding = [(each, each.match) for each in rules if each.rule.fold and each.match is not None]
    positions = first_with_same_labels([match for _, match in folding], labels)
    for (each, _), position in zip(folding, positions, strict=True):
        if position is None:
            continue
        earlier, _ = folding[position]
        distinct = either(["protocol", "address (of IPs)", "netns", *labels])
        each.section.nodes["fold"].add_error(
            f"{earlier} may fold listeners into one with the same labels; write both as one rule, or let"
            f" their matches differ in {distinct}"
        )
