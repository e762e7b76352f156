"""Whatever stands in the file, the answer is a Config or a ConfigError, and rules are judged rightly."""

from __future__ import annotations

import re
from dataclasses import replace
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from itertools import product
from typing import TypeVar

import yaml
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Config, ConfigError, parse
from exporter.config.coverage import Coverage, contradiction
from exporter.config.model import Match

LINE = re.compile(r"c\.yaml:[1-9][0-9]*:[1-9][0-9]*: .+")

WORDS = st.sampled_from(
    [
        *(
            "sampling",
            "interval",
            "cpu_budget",
            "method",
            "peak_window",
            "histogram",
            "labels",
            "max_listeners",
        ),
        *(
            "defaults",
            "accept",
            "syn_recv",
            "warning",
            "critical",
            "hold",
            "release",
            "rules",
            "name",
            "match",
        ),
        *("namespaces", "enabled", "include", "exclude", "max", "host"),
        *("export", "protocol", "address", "port", "netns", "process", "unit", "tcp", "unix", "auto", "edge"),
        *(
            "50%",
            "1100%",
            "5s",
            "0.5ms",
            "10.0.0.0/8",
            "10.0.0.1/8",
            "::1",
            "/run/*.sock",
            "@a",
            "80-90",
            "90-80",
        ),
        *("fe80::1%eth0", "nan", "no", "<<", "\\", "", "\x85", "\U0010ffff"),
    ]
)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.dates() | WORDS | st.text()
STRUCTURES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(WORDS | SCALARS, inner, max_size=4),
    max_leaves=30,
)
FRAGMENTS = st.lists(
    WORDS
    | st.sampled_from(
        [*"\n:,[]{}-?&*!|>'\"%@`#\t ~", "\n  ", "- ", ": ", "---\n", "*a", "&a ", "!!int ", '"\\U']
    ),
    max_size=40,
).map("".join)


def faults(text: str) -> tuple[str, ...]:
    try:
        assert isinstance(parse(text, "c.yaml"), Config)
    except ConfigError as error:
        return error.lines
    return ()


def check(text: str) -> None:
    """Any exception but ConfigError ends the test, and each line of a ConfigError must be readable."""
    for line in faults(text):
        assert LINE.fullmatch(line)
        assert line.isprintable()


@given(st.text(st.characters()))
def test_any_text_gives_a_config_or_a_config_error(text: str) -> None:
    check(text)


@given(FRAGMENTS)
def test_any_scraps_of_yaml_give_a_config_or_a_config_error(text: str) -> None:
    check(text)


@given(STRUCTURES, st.booleans())
def test_any_structure_gives_a_config_or_a_config_error(structure: object, flow: bool) -> None:  # noqa: FBT001
    check(yaml.safe_dump(structure, default_flow_style=flow))


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "sampling": STRUCTURES,
            "namespaces": st.dictionaries(
                st.sampled_from(["enabled", "include", "exclude", "max"]),
                SCALARS | st.lists(SCALARS, max_size=3),
            ),
            "labels": STRUCTURES,
            "max_listeners": SCALARS,
            "defaults": STRUCTURES,
            "rules": st.lists(
                st.fixed_dictionaries(
                    {},
                    optional={
                        "name": SCALARS,
                        "match": st.dictionaries(WORDS, SCALARS | st.lists(SCALARS, max_size=3), max_size=4),
                        "accept": st.dictionaries(st.sampled_from(["warning", "critical"]), SCALARS),
                        "hold": SCALARS,
                        "export": SCALARS,
                    },
                ),
                max_size=4,
            ),
        },
    )
)
def test_any_values_under_the_right_keys_give_a_config_or_a_config_error(structure: object) -> None:
    check(yaml.safe_dump(structure))


@given(st.integers(1, 10000), st.integers(1, 10000), st.booleans())
def test_levels_are_refused_exactly_when_warning_is_above_critical(
    warning: int,
    critical: int,
    share: bool,  # noqa: FBT001
) -> None:
    low, high = (f"{value / 10}%" if share else value for value in (warning, critical))
    found = faults(f"defaults: {{accept: {{warning: {low}, critical: {high}}}}}")
    assert len(found) == (1 if warning > critical else 0)


CgroupLocation = tuple[str, str, int]
Listener = tuple[CgroupLocation, tuple[str, ...]]
T = TypeVar("T")

PORTS = (1, 5, 6, 7, 65535)
IPS = ("10.0.0.1", "10.128.0.1", "192.0.2.1", "::1", "fd00::1")
NAMES = ("/run/a", "/run/b", "@a", "ab", "xb")
GLOBS = ("*", "**", "/run/*", "/run/?", "/run/a", "@a", "[!x]b", "?b", "ab")
OWNERS = ("process", "pod")
NETWORKS = [
    ip_network(text)
    for text in ("10.0.0.0/8", "10.0.0.0/9", "10.128.0.0/9", "0.0.0.0/0", "::/0", "::1/128", "fd00::/8")
]


def some(*values: T, least: int = 0) -> st.SearchStrategy[tuple[T, ...]]:
    return st.lists(st.sampled_from(values), min_size=least, max_size=3).map(tuple)


MATCHES = st.builds(
    Match,
    protocols=some("tcp", "unix"),
    addresses=st.tuples(some(*NETWORKS), some(*GLOBS)).map(lambda pair: (*pair[0], *pair[1])),
    ports=some((1, 1), (5, 6), (6, 7), (1, 65535), (1, 32767), (32768, 65535)),
    owners=st.dictionaries(st.sampled_from(OWNERS), some(*GLOBS, least=1)),
)


def taken(match: Match) -> set[Listener]:
    """Return which listeners of a small world a match takes, found in the plainest way."""
    places = {*product(["tcp"], IPS, PORTS), *product(["unix"], NAMES, [0])}
    return {
        (place, owners)
        for place in places
        for owners in product(NAMES, repeat=len(OWNERS))
        if takes(match, place, owners)
    }


def takes(match: Match, place: CgroupLocation, owners: tuple[str, ...]) -> bool:
    protocol, address, port = place
    if match.protocols and protocol not in match.protocols:
        return False
    if match.ports and not any(low <= port <= high for low, high in match.ports):
        return False
    if (match.networks or match.paths) and not addressed(match, protocol, address):
        return False
    return all(
        any(fnmatchcase(value, glob) for glob in match.owners.get(key, ("*",)))
        for key, value in zip(OWNERS, owners, strict=True)
    )


def covers(earlier: Match, later: Match) -> bool:
    return Coverage.of(earlier).covers(Coverage.of(later))


def addressed(match: Match, protocol: str, address: str) -> bool:
    if protocol == "tcp":
        return any(ip_address(address) in network for network in match.networks)
    return any(fnmatchcase(address, glob) for glob in match.paths)


@given(MATCHES, MATCHES)
def test_a_match_that_covers_another_takes_all_its_listeners(earlier: Match, later: Match) -> None:
    if covers(earlier, later):
        assert taken(later) <= taken(earlier)


@given(MATCHES)
def test_a_match_covers_itself_and_one_that_asks_nothing_covers_all(match: Match) -> None:
    assert covers(match, match)
    assert covers(Match(), match)


@given(MATCHES)
def test_a_match_contradicts_itself_exactly_when_it_takes_no_listener(match: Match) -> None:
    assert (contradiction(match) is None) == bool(taken(match))


@given(MATCHES)
def test_a_match_that_asks_one_thing_more_is_covered(wider: Match) -> None:
    assert wider.ports or covers(wider, replace(wider, ports=((5, 6),)))
    assert wider.owners or covers(wider, replace(wider, owners={"pod": ("/run/*",)}))
    assert wider.protocols or covers(wider, replace(wider, protocols=("unix",)))
