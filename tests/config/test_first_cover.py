"""The first match that covers a later one: the same as all pairs give, found with few comparisons."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import ip_network
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config.coverage import Coverage, contradiction
from exporter.config.first_cover import first_covering
from exporter.config.model import Match
from exporter.config.patterns import PatternSet
from exporter.config.ranges import merged
from tests.config.matches import MATCHES

COUNT = 1000


def first_of_all_pairs(coverages: Sequence[Coverage]) -> list[int | None]:
    return [
        next((earlier for earlier in range(later) if coverages[earlier].covers(coverages[later])), None)
        for later in range(len(coverages))
    ]


@settings(deadline=None, max_examples=200)
@given(st.lists(MATCHES.filter(lambda match: contradiction(match) is None), max_size=8))
def test_the_first_that_covers_is_the_one_that_all_pairs_give(matches: list[Match]) -> None:
    coverages = [Coverage.of(match) for match in matches]
    assert first_covering(coverages) == first_of_all_pairs(coverages)


GLOBS = [
    "ab",
    "aab",
    "abab",
    "ba",
    "*",
    "*b",
    "a*",
    "?b",
    "*a?",
    "[a]b",
    "a[b]",
    "*[b]",
    "*[a]b*",
    "*[a]*b",
    "[[]b",
    "]*[",
    "??",
    "a[",
]
NUMBERS = st.sampled_from([1, 7, 8, 15, 16, 64])


def coverage(names: list[str], ports: list[tuple[int, int]]) -> Coverage:
    base = Coverage.of(Match())
    ranges = merged((min(pair), max(pair)) for pair in ports)
    return Coverage(base.protocols, ranges, base.ips, base.paths, {"process": PatternSet(names)})


@settings(deadline=None, max_examples=200)
@given(
    st.lists(
        st.builds(
            coverage,
            st.lists(st.sampled_from(GLOBS), min_size=1, max_size=3),
            st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=2),
        ),
        max_size=12,
    )
)
def test_any_globs_and_ranges_are_found(coverages: list[Coverage]) -> None:
    assert first_covering(coverages) == first_of_all_pairs(coverages)


def test_a_glob_is_found_for_whatever_it_covers() -> None:
    for pair in product(GLOBS, repeat=2):
        coverages = [Coverage.of(Match(owners={"process": (glob,)})) for glob in pair]
        assert first_covering(coverages) == first_of_all_pairs(coverages), pair


class CountingCoverage(Coverage):
    """Counts the comparisons."""

    comparisons = 0

    def covers(self, other: Coverage) -> bool:
        CountingCoverage.comparisons += 1
        return Coverage.covers(self, other)


SHAPES: dict[str, Callable[[int], Match]] = {
    "ports": lambda number: Match(ports=((number + 1, number + 1),)),
    "processes": lambda number: Match(owners={"process": (f"p{number}",)}),
    "port and process": lambda number: Match(
        ports=((number % 4 + 1, number % 4 + 1),), owners={"process": (f"p{number // 4}",)}
    ),
    "networks": lambda number: Match(addresses=(ip_network((0x0A000000 + (number << 8), 24)),)),
    "paths": lambda number: Match(addresses=(f"/run/{number}/*.sock",)),
    "globs that begin with *": lambda number: Match(owners={"unit": (f"*-{number}.service",)}),
    "globs and names": lambda number: Match(
        owners={"unit": (f"*-{number}-*" if number % 2 else f"web-{number}",)}
    ),
    "namespaces": lambda number: Match(netns=(f"n{number}",), protocols=("tcp",)),
    "equal matches": lambda _: Match(ports=((80, 80),)),
    "empty matches": lambda _: Match(),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_match_is_compared_with_few_others(shape: str) -> None:
    coverages = [CountingCoverage.of(SHAPES[shape](number)) for number in range(COUNT)]
    CountingCoverage.comparisons = 0
    first_covering(coverages)
    assert CountingCoverage.comparisons <= 40 * COUNT


def test_thousands_of_equal_matches_are_compared_in_linear_time() -> None:
    # Comparing all pairs takes longer than the time limit of a test.
    count = 60_000
    coverages = [Coverage.of(Match(ports=((80, 80),)))] * count
    assert first_covering(coverages) == [None, *[0] * (count - 1)]


def test_lists_of_thousands_of_names_are_compared_in_linear_time() -> None:
    names = tuple(f"name-{number}" for number in range(20_000))
    globs = tuple(f"name-{number}*" for number in range(0, 20_000, 100))
    wide, narrow = Match(owners={"process": (*globs, *names)}), Match(owners={"process": names[::-1]})
    assert first_covering([Coverage.of(wide), Coverage.of(narrow)]) == [None, 0]
