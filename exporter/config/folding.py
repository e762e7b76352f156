"""Finds rules that fold listeners and would give them the same labels, so that two series would be equal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from heapq import merge
from itertools import filterfalse, product, takewhile

from exporter.config.coverage import Coverage
from exporter.config.model import Match
from exporter.config.namespaces import OWN, may_match_name, may_match_number
from exporter.config.patterns import is_literal, literal_parts, pattern_set
from exporter.config.prefix_index import PrefixIndex
from exporter.config.ranges import overlap
from exporter.kernel.family import AddressForm, address_form


def first_with_same_labels(matches: Sequence[Match], labels: Sequence[str]) -> list[int | None]:
    """Return for each match the position of the first earlier one that may give the same labels, or None.

    A folded listener has the labels netns, protocol, address (of IPs only) and those about its owner that
    `labels` names. Matches differ in a label where no value of it can match both.
    """
    coverages = list(map(Coverage.of, matches))
    indexes = [PrefixIndex(prefixes) for prefixes in _prefixes_by_label(matches, coverages, labels)]
    found: list[int | None] = []
    for position, match in enumerate(matches):
        same = (
            other
            for other in _candidates(indexes, position)
            if _have_common_address(coverages[other], coverages[position])
            and _may_share(matches[other], match, labels)
        )
        found.append(next(same, None))
    return found


def _candidates(indexes: Sequence[PrefixIndex], position: int) -> Iterator[int]:
    """Yield in ascending order the earlier positions that may have the same value of one label, at least.

    That is the label for which they are fewest: to compare all pairs takes minutes for some thousand rules.
    """
    overlapping = (index.overlapping(position) for index in indexes)
    fewest = min(overlapping, key=lambda candidates: sum(map(len, candidates)))
    return takewhile(lambda candidate: candidate < position, merge(*fewest))


def _prefixes_by_label(
    matches: Sequence[Match], coverages: Sequence[Coverage], labels: Sequence[str]
) -> Iterator[list[list[str]]]:
    """Yield for each label the prefixes of every match: two that share no prefix differ in that label.

    A match without prefixes may have any value.
    """
    yield [_of_addresses(match, coverage) for match, coverage in zip(matches, coverages, strict=True)]
    yield [_of_namespaces(match) for match in matches]
    for label in labels:
        yield [_of_names(match.owners.get(label, ())) for match in matches]


def _of_addresses(match: Match, coverage: Coverage) -> list[str]:
    if any(address_form(protocol) is AddressForm.PATH for protocol in coverage.protocols):
        return []
    bits = ((net, f"{int(net.network_address):0{net.max_prefixlen}b}") for net in match.networks)
    return [f"{net.version}{digits[: net.prefixlen]}" for net, digits in bits]


def _of_namespaces(match: Match) -> list[str]:
    # One that is matched by its number has a name as well.
    return [] if any(map(may_match_number, match.netns)) else _of_names(match.netns)


def _of_names(globs: Sequence[str]) -> list[str]:
    # No name has a NUL, so one with a NUL behind it begins with another such only where both are equal.
    return [f"{glob}\0" if is_literal(glob) else literal_parts(glob)[0] for glob in globs]


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
    return bool(protocols) and overlap(one.ips, other.ips)


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
    """Return whether there may be a name that both match; certain only where one has no wildcard."""
    for ours, theirs in ((some, others), (others, some)):
        if any(map(pattern_set(tuple(theirs)).matches, filter(is_literal, ours))):
            return True
    left, right = (
        [literal_parts(glob)[0] for glob in filterfalse(is_literal, globs)] for globs in (some, others)
    )
    return any(one.startswith(other) or other.startswith(one) for one, other in product(left, right))
