"""Which rules may fold listeners into one with the same labels, compared with what they match."""

from __future__ import annotations

import time
from collections.abc import Callable
from ipaddress import ip_network
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.config import ConfigError, parse
from exporter.config.folding import first_with_same_labels
from exporter.config.model import Match, Network
from tests.config.matches import MATCHES, OWNER_KEYS, Listener, selected

LABELS = st.lists(st.sampled_from(OWNER_KEYS), unique=True)
MANY = 10_000
MAX_SECONDS = 10.0


def labels_of(listener: Listener, labels: list[str]) -> tuple[str, ...]:
    """What the series of a folded listener are labelled with."""
    owner = dict(zip(OWNER_KEYS, listener.owner, strict=True))
    address = listener.address if listener.protocol == "tcp" else "*"
    return (listener.protocol, address, *(owner[label] for label in labels))


@settings(deadline=None)
@given(MATCHES, MATCHES, LABELS)
def test_matches_that_are_told_apart_give_no_two_listeners_the_same_labels(
    one: Match, other: Match, labels: list[str]
) -> None:
    if first_with_same_labels([one, other], labels) == [None, None]:
        first, second = ({labels_of(each, labels) for each in selected(match)} for match in (one, other))
        assert not first & second


@settings(deadline=None)
@given(st.lists(MATCHES, max_size=6), LABELS)
def test_the_first_of_all_earlier_ones_is_found(matches: list[Match], labels: list[str]) -> None:
    pairs = {
        (one, other)
        for one, other in combinations(range(len(matches)), 2)
        if first_with_same_labels([matches[one], matches[other]], labels)[1] is not None
    }
    assert first_with_same_labels(matches, labels) == [
        min((one for one, other in pairs if other == position), default=None)
        for position in range(len(matches))
    ]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{protocol: tcp}", "{protocol: unix}"),
        ("{process: vsftpd}", "{process: proftpd}"),
        ('{process: "vs*"}', "{process: [pure-ftpd, proftpd]}"),
        ('{process: "vs*"}', '{process: "pro*"}'),
        ("{netns: host}", '{netns: "web-*"}'),
        ("{netns: web}", '{netns: ["db", "1234"]}'),
        ('{netns: "4026532001"}', '{netns: ["4026532002", host]}'),
        ("{port: 1-9, address: 10.0.0.0/8}", "{port: 1-9, address: 192.0.2.1}"),
    ],
)
def test_rules_that_differ_in_a_label_may_both_fold(one: str, other: str) -> None:
    config = parse(
        f"rules: [{{name: a, match: {one}, fold: true}}, {{name: b, match: {other}, fold: true}}]", "c"
    )
    assert [rule.fold for rule in config.rules] == [True, True]


@pytest.mark.parametrize(
    ("one", "other", "labels"),
    [
        ("{port: 1-9}", "{port: 10-19}", "[process]"),
        ("{process: vsftpd}", "{process: proftpd}", "[unit]"),
        ('{process: "vs*"}', '{process: "v*d"}', "[process]"),
        ("{process: vsftpd, port: 1-9}", "{port: 10-19}", "[process]"),
        ('{address: "/run/a/*"}', '{address: "/run/b/*"}', "[process]"),
        # One namespace may have this name and this number.
        ('{netns: "4026532001"}', "{netns: [host, web]}", "[process]"),
        ('{netns: "web-*"}', '{netns: "40265?2*"}', "[process]"),
    ],
)
def test_rules_that_differ_in_no_label_may_not(one: str, other: str, labels: str) -> None:
    folding = f"[{{name: a, match: {one}, fold: true}}, {{name: b, match: {other}, fold: true}}]"
    with pytest.raises(ConfigError, match="may fold listeners into one with the same labels"):
        parse(f"labels: {labels}\nrules: {folding}", "c")
    # Where only one of them folds, the other has its own port or name.
    parse(f"labels: {labels}\nrules: {folding.replace(', fold: true', '', 1)}", "c")


def ip(number: int) -> Network:
    return ip_network((10 << 24) + number)


@pytest.mark.parametrize(
    "made",
    [
        lambda number: Match(owners={"process": (f"program{number}",)}),
        lambda number: Match(addresses=(ip(number),)),
        lambda number: Match(netns=(f"pod-{number}",)),
        lambda number: Match(owners={"process": ("*",), "unit": (f"unit{number}.service",)}),
        lambda number: Match(owners={"process": (f"program{number}-*",)}),
    ],
    ids=["process", "address", "netns", "unit", "pattern"],
)
def test_thousands_of_rules_that_fold_are_compared_in_seconds(made: Callable[[int], Match]) -> None:
    matches = [made(number) for number in range(MANY)]
    started = time.process_time()
    assert first_with_same_labels(matches, ["process", "unit"]) == [None] * MANY
    assert time.process_time() - started < MAX_SECONDS


@pytest.mark.parametrize(
    "made",
    [
        lambda numbers: Match(owners={"process": tuple(f"program{number}" for number in numbers)}),
        lambda numbers: Match(addresses=tuple(map(ip, numbers))),
    ],
    ids=["process", "address"],
)
def test_thousands_of_values_are_compared_in_seconds(made: Callable[[range], Match]) -> None:
    matches = [made(range(start, 2 * MANY, 2)) for start in (0, 1)]
    started = time.process_time()
    assert first_with_same_labels(matches, ["process"]) == [None, None]
    assert time.process_time() - started < MAX_SECONDS
