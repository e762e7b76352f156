"""Finds rules that fold listeners and would give them the same labels, so that two series would be equal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product

from exporter.config.coverage import Coverage
from exporter.config.model import Match
from exporter.config.namespaces import OWN, may_match_name, may_match_number
from exporter.config.patterns import PatternSet, is_literal, literal_parts
from exporter.kernel.family import AddressForm, address_form


def first_with_same_labels(matches: Sequence[Match], labels: Sequence[str]) -> list[int | None]:
    """Return for each match the position of the first earlier one that may give the same labels, or None.

    A folded listener has the labels netns, protocol, address (of IPs only) and those about its owner that
    `labels` names. Matches differ in a label where no value of it can match both.
    """
    found: list[int | None] = []
    earlier = _Earlier(labels[0] if labels else "")
    coverages = list(map(Coverage.of, matches))
    for position, match in enumerate(matches):
        coverage = coverages[position]
        same = (
            other
            for other in earlier.candidates(match)
            if _have_common_address(coverages[other], coverage) and _may_share(matches[other], match, labels)
        )
        found.append(next(same, None))
        earlier.add(position, match)
    return found


class _Earlier:
    """Positions of matches by their names for one label, so that not every pair has to be compared."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._all: list[int] = []
        self._any_name: list[int] = []
        self._by_name: dict[str, list[int]] = {}

    def add(self, position: int, match: Match) -> None:
        """Add a match; positions ascend."""
        self._all.append(position)
        names = self._names(match)
        if not names:
            self._any_name.append(position)
        for name in names:
            self._by_name.setdefault(name, []).append(position)

    def candidates(self, match: Match) -> Iterator[int]:
        """Yield the positions of matches that may have a name in common with this one, in ascending order."""
        names = self._names(match)
        if not names:
            yield from self._all
            return
        found = {position for name in names for position in self._by_name.get(name, ())}
        yield from sorted(found.union(self._any_name))

    def _names(self, match: Match) -> tuple[str, ...]:
        names = match.owners.get(self._label, ())
        return names if all(map(is_literal, names)) else ()


def _may_share(one: Match, other: Match, labels: Sequence[str]) -> bool:
    if one.netns and other.netns and not _may_have_common_namespace(one.netns, other.netns):
        return False
    pairs = [(one.owners.get(name), other.owners.get(name)) for name in labels]
    return not any(left and right and not _may_have_common_name(left, right) for left, right in pairs)


def _have_common_address(one: Coverage, other: Coverage) -> bool:
    """Return whether there may be a listener of the same protocol and address in both; of paths any."""
    protocols = one.protocols & other.protocols
    if any(address_form(protocol) is AddressForm.PATH for protocol in protocols):
        return True
    return bool(protocols) and _have_common_ip(one, other)


def _have_common_ip(one: Coverage, other: Coverage) -> bool:
    return any(first <= end and start <= last for first, last in one.ips for start, end in other.ips)


def _may_have_common_namespace(some: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether there may be a namespace that both match, by its name or by its number."""
    return (
        _may_have_common_name(some, others)
        or _may_match_number_and_name(some, others)
        or _may_match_number_and_name(others, some)
    )


def _may_match_number_and_name(some: Sequence[str], others: Sequence[str]) -> bool:
    """Return whether one of `some` may match the number of a namespace whose name one of `others` matches.

    The exporter's own is matched by its name alone.
    """
    names = [glob for glob in others if glob != OWN and may_match_name(glob)]
    return bool(names) and any(map(may_match_number, some))


def _may_have_common_name(some: Sequence[str], others: Sequence[str]) -> bool:
    return any(_may_match_the_same(one, other) for one, other in product(some, others))


def _may_match_the_same(one: str, other: str) -> bool:
    """Return whether there may be a name that both globs match; certain only where one has no wildcard."""
    if is_literal(one):
        return PatternSet((other,)).matches(one)
    if is_literal(other):
        return PatternSet((one,)).matches(other)
    left, right = literal_parts(one)[0], literal_parts(other)[0]
    return left.startswith(right) or right.startswith(left)
