"""The index finds the rule that a comparison with each rule finds, and soon."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.config import Config, ConfigError, parse
from exporter.config.model import Match, Rule
from exporter.listeners.key import ListenerKey
from exporter.owners.owner import Owner
from exporter.thresholds.rule_index import RuleIndex, RuleIndexes
from exporter.thresholds.rules import RuleSet, matches

NAMES = st.sampled_from(["web", "web-1", "worker", "a-name-that-is-longer-than-a-prefix", "", "w"])
GLOBS = st.sampled_from(["web", "web*", "w?b", "*", "*b", "a-name-that-is-longer-than-*", "worker", "?"])
ADDRESSES = ["10.0.0.1", "10.0.0.0/8", "::1", "::ffff:10.0.0.1", "/run/web.sock", "/run/*", "@web", "*"]


def globs() -> st.SearchStrategy[list[str]]:
    return st.lists(GLOBS, min_size=1, max_size=2, unique=True)


MATCHES = st.fixed_dictionaries(
    {},
    optional={
        "protocol": st.sampled_from(["tcp", "unix"]),
        "port": st.lists(st.sampled_from([80, 443, "80-90", "1-65535"]), min_size=1, max_size=2),
        "address": st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=2, unique=True),
        "process": globs(),
        "unit": globs(),
        "netns": globs(),
    },
)
KEYS = st.one_of(
    st.builds(
        ListenerKey,
        NAMES,
        st.just("tcp"),
        st.sampled_from(["10.0.0.1", "10.0.0.1%eth0", "::1", "0.0.0.0", "fe80::1%eth0"]),
        st.sampled_from(["80", "443", "85", "8080"]),
    ),
    st.builds(
        ListenerKey, NAMES, st.just("unix"), st.sampled_from(["/run/web.sock", "@web", "/x"]), st.just("")
    ),
)
OWNERS = st.builds(Owner, process=NAMES, command=NAMES, unit=NAMES)


def match_of(keys: Mapping[str, object]) -> Match | None:
    """The match with these keys, None where no listener can have all of them."""
    try:
        return parse(f"rules: [{{name: r, match: {json.dumps(keys)}}}]", "c.yaml").rules[0].match
    except ConfigError:
        return None


@given(st.lists(MATCHES, max_size=8), KEYS, OWNERS)
def test_the_rule_is_that_which_a_look_at_each_rule_finds(
    wanted: list[dict[str, object]], key: ListenerKey, owner: Owner
) -> None:
    found = filter(None, map(match_of, wanted))
    rules = tuple(Rule(name=str(number), match=match) for number, match in enumerate(found))
    expected = next((rule.name for rule in rules if matches(rule.match, key, owner)), "defaults")
    assert RuleSet(Config(rules=rules)).match(key, owner).rule == expected


@pytest.mark.parametrize(
    "match",
    [
        "{{port: {n}}}",
        "{{port: [{n}, {n}1]}}",
        "{{process: p{n}}}",
        "{{process: 'p{n}-*'}}",
        "{{unit: 'u{n}.*', process: '*'}}",
        "{{address: 10.0.{a}.{b}}}",
        "{{address: '/run/{n}/*.sock'}}",
    ],
)
def test_of_thousands_of_rules_a_listener_is_compared_with_few(match: str) -> None:
    rules = tuple(
        Rule(
            name=str(n),
            match=parse(f"rules: [{{name: r, match: {match.format(n=n, a=n // 250, b=n % 250)}}}]", "c")
            .rules[0]
            .match,
        )
        for n in range(1000, 1300)
    )
    index = RuleIndex(rules)
    for key in (
        ListenerKey("host", "tcp", "10.0.4.20", "1020"),
        ListenerKey("host", "unix", "/run/1020/a.sock", ""),
    ):
        owner = Owner(process="p1020", command="p1020", unit="u1020.service")
        assert len(list(index.candidates(key, owner))) <= 2


def test_rules_of_many_ports_are_compared_with_every_listener() -> None:
    rules = parse("rules: [{name: a, match: {port: 1-2000}}, {name: b, match: {port: 3000}}]", "c").rules
    index = RuleIndex(rules)
    key = ListenerKey("host", "tcp", "0.0.0.0", "3000")
    assert [rule.name for rule in index.candidates(key, Owner())] == ["a", "b"]


def test_the_index_is_made_once_for_all_namespaces() -> None:
    indexes = RuleIndexes()
    rules = parse("rules: [{name: a, match: {port: 1}}]", "c").rules
    assert indexes.of(rules) is indexes.of(rules)
    assert indexes.of(()) is not indexes.of(rules)


def test_two_thousand_listeners_and_five_thousand_rules_take_a_moment() -> None:
    """One comparison with each rule, without an index, took 10 s."""
    text = "".join(f"  - {{name: r{n}, match: {{port: {n + 1}, process: p{n}}}}}\n" for n in range(5000))
    rules = RuleSet(parse(f"rules:\n{text}", "c"))
    begun = time.process_time()
    for port in range(2000):
        rules.match(ListenerKey("host", "tcp", "127.0.0.1", str(60000 - port)), Owner(process="x"))
    assert time.process_time() - begun < 3
