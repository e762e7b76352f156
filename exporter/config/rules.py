"""The list of rules, of which the first that matches a listener gives its thresholds."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.config.coverage import Coverage
from exporter.config.entry import Entry, Section
from exporter.config.errors import shown
from exporter.config.levels import THRESHOLD_KEYS, Draft, read_thresholds
from exporter.config.match import MATCH_KEYS, read_match
from exporter.config.model import DEFAULTS, Match, Namespaces, Rule, Thresholds
from exporter.config.values import Flag, Scalar, Text, WrongValueError

RULE_KEYS = ("name", "match", *THRESHOLD_KEYS, "export")

_KEYS_OF_MATCH = {key: f"match.{key}" for key in MATCH_KEYS}
_LIST_OF_RULES = "write a list of rules, each with a name, or leave it out"


class Name:
    """Reads the name of a rule."""

    allowed = "write a name, such as edge"

    def read(self, scalar: Scalar) -> str:
        """Return the name; raises WrongValueError."""
        name = Text(self.allowed).read(scalar)
        if name == DEFAULTS:
            raise WrongValueError(f"{DEFAULTS} stands for the listeners that no rule matches")
        return name


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A rule that was read, to be judged beside the others. `match` is None where it is wrong."""

    entry: Entry
    section: Section
    name: str
    match: Match | None
    thresholds: Thresholds
    export: bool

    def __str__(self) -> str:
        name = f"{shown(self.name)}, " if self.name else ""
        return f"{self.entry.path} ({name}line {self.entry.line})"

    def rule(self) -> Rule:
        """Return what the rest of the program uses."""
        return Rule(self.name, self.match or Match(), self.thresholds, self.export)


def read_rules(entry: Entry, defaults: Draft, namespaces: Namespaces) -> tuple[Rule, ...]:
    """Return the rules in their order. What is wrong is noted; then the result is of no use."""
    candidates = [_candidate(item, defaults, namespaces) for item in entry.items(_LIST_OF_RULES)]
    _refuse_repeated_names(candidates)
    _refuse_shadowed(candidates)
    return tuple(candidate.rule() for candidate in candidates)


def _candidate(item: Entry, defaults: Draft, namespaces: Namespaces) -> _Candidate:
    before = len(item.faults)
    section = item.section(RULE_KEYS, elsewhere=_KEYS_OF_MATCH)
    # An unknown key may be a part of the match in the wrong place.
    understood = len(item.faults) == before
    match = read_match(section.get("match"), namespaces)
    return _Candidate(
        entry=item,
        section=section,
        name=_name(item, section),
        match=match if understood else None,
        thresholds=read_thresholds(section, defaults).finished(),
        export=section.read("export", Flag(), default=True),
    )


def _name(item: Entry, section: Section) -> str:
    if section.get("name") is None and item.is_mapping:
        item.refuse(f"the rule has no name; {Name.allowed}")
    return section.read("name", Name(), default="")


def _refuse_repeated_names(candidates: list[_Candidate]) -> None:
    first: dict[str, _Candidate] = {}
    for candidate in candidates:
        written = candidate.section.get("name")
        known = first.setdefault(candidate.name, candidate)
        if candidate.name and written and known is not candidate:
            written.refuse(f"{known} has the same name; every rule needs its own")


def _refuse_shadowed(candidates: list[_Candidate]) -> None:
    """Note rules that come after one that takes every listener they ask for."""
    earlier: list[tuple[_Candidate, Coverage]] = []
    for candidate in candidates:
        if candidate.match is None:
            continue
        coverage = Coverage.of(candidate.match)
        wider = next((other for other, taken in earlier if taken.covers(coverage)), None)
        if wider:
            at = candidate.section.get("match") or candidate.entry
            at.refuse(
                f"no listener can match: {wider} comes first and takes all that this rule asks for;"
                " write this rule before it, or take it out"
            )
        earlier.append((candidate, coverage))
