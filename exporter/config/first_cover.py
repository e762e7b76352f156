"""Finds the matches that can never apply because an earlier one selects every listener that they select.

Comparing all pairs takes minutes for some thousand rules. So each match is compared only with those earlier
ones that an index finds for it: a match is indexed by the values of one of its keys, and looked up by its own
value of each key.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from exporter.config.coverage import ALL_IPS, ALL_PORTS, Coverage
from exporter.config.patterns import PatternSet, is_literal, literal_parts
from exporter.config.ranges import Ranges, blocks
from exporter.kernel.family import AddressForm

# A longer part hardly selects fewer names, and each length costs a lookup for each character of a name.
_MAX_PART_LENGTH = 16


class _Axis(NamedTuple):
    """One key of matches, as far as they select listeners with this form of address."""

    form: AddressForm
    key: str


class _Entry(NamedTuple):
    """Where the index has a match.

    For numbers a block: its width in bits, and its number. For names a part of a glob and its length, or a
    whole glob and no length.
    """

    axis: _Axis
    width: int | None
    value: int | str


def first_covering(coverages: Sequence[Coverage]) -> list[int | None]:
    """Return for each coverage the position of the first earlier one that covers it, or None."""
    choices = [_choices(coverage) for coverage in coverages]
    entries = {entry for forms in choices for keys in forms for key in keys for entry in key}
    widths: dict[_Axis, set[int]] = defaultdict(set)
    for entry in entries:
        if entry.width is not None:
            widths[entry.axis].add(entry.width)
    lookups = [entries.intersection(_lookups(coverage, widths)) for coverage in coverages]
    times = Counter(entry for lookup in lookups for entry in lookup)

    index: dict[_Entry, list[int]] = defaultdict(list)
    result: list[int | None] = []
    for position, coverage in enumerate(coverages):
        candidates = sorted({earlier for entry in lookups[position] for earlier in index.get(entry, ())})
        covering = next((earlier for earlier in candidates if coverages[earlier].covers(coverage)), None)
        result.append(covering)
        # One that is covered needs no entry: whatever it covers, the one that covers it covers, too.
        if covering is None:
            for keys in choices[position]:
                for entry in min(keys, key=lambda key: sum(times[entry] for entry in key)):
                    index[entry].append(position)
    return result


def _choices(coverage: Coverage) -> list[list[list[_Entry]]]:
    """Return, for each form of address and each key that limits the coverage, the entries for its values.

    With the entries of any one key of a form, the coverage is found by all that it may cover in that form.
    """
    forms = []
    for form in coverage.address_forms:
        keys = [list(_entries(_Axis(form, key), values)) for key, values in _limits(coverage, form)]
        forms.append(keys or [[_unlimited(form)]])
    return forms


def _limits(coverage: Coverage, form: AddressForm) -> Iterator[tuple[str, Ranges | PatternSet]]:
    """Yield the keys that limit which listeners with this form of address are selected."""
    if form is AddressForm.PATH:
        yield from [("path", coverage.paths)] if not coverage.paths.matches_all else []
    else:
        yield from [("port", coverage.ports)] if coverage.ports != ALL_PORTS else []
        yield from [("ip", coverage.ips)] if coverage.ips != ALL_IPS else []
    yield from ((key, names) for key, names in coverage.names.items() if not names.matches_all)


def _unlimited(form: AddressForm) -> _Entry:
    return _Entry(_Axis(form, ""), None, "")


def _entries(axis: _Axis, values: Ranges | PatternSet) -> Iterator[_Entry]:
    if not isinstance(values, PatternSet):
        yield from (_Entry(axis, width, number) for width, number in blocks(values))
        return
    for glob in values.globs:
        yield _Entry(axis, None, glob)
        if not is_literal(glob):
            part = _literal_part(glob)
            yield _Entry(axis, len(part), part)


def _lookups(coverage: Coverage, widths: Mapping[_Axis, set[int]]) -> Iterator[_Entry]:
    """Yield the entries of whatever may cover a coverage.

    What covers it, covers it for each form of address, and for each key the first of its values.
    """
    form = next(iter(coverage.address_forms))
    yield _unlimited(form)
    for key, values in _limits(coverage, form):
        axis = _Axis(form, key)
        if not isinstance(values, PatternSet):
            first = values[0][0]
            yield from (_Entry(axis, width, first >> width) for width in widths.get(axis, ()))
            continue
        glob = values.globs[0]
        yield _Entry(axis, None, glob)
        if is_literal(glob):
            for width in widths.get(axis, ()):
                yield from (
                    _Entry(axis, width, glob[start : start + width]) for start in range(len(glob) - width + 1)
                )


def _literal_part(glob: str) -> str:
    """Return characters that every matching name contains: the longest part without a wildcard."""
    return max(literal_parts(glob), key=len)[:_MAX_PART_LENGTH]
