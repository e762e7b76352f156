"""What is read from keys: seconds, ratios, networks, patterns, and thresholds completed from `defaults`."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest

from exporter.config import Config, ConfigFile, parse
from exporter.config.model import (
    AutoBool,
    Export,
    Level,
    Namespaces,
    NetnsName,
    Queue,
    Sampling,
    Severity,
    Unit,
)
from exporter.kernel.records import Method

GOOD = Path(__file__).parent / "good"
ACCEPT_WARNING = (Queue.ACCEPT, Severity.WARNING)
ACCEPT_CRITICAL = (Queue.ACCEPT, Severity.CRITICAL)
SYN_WARNING = (Queue.SYN_RECV, Severity.WARNING)
SYN_CRITICAL = (Queue.SYN_RECV, Severity.CRITICAL)


@pytest.fixture
def everything() -> Config:
    return ConfigFile(str(GOOD / "everything.yaml")).load()


def test_sampling_is_in_seconds_and_ratios(everything: Config) -> None:
    assert everything.sampling == Sampling(1.5, 0.005, Method.PROCFS, 3600.0)


@pytest.mark.parametrize(
    ("interval", "seconds", "budget", "ratio"),
    [("4.1ms", 0.0041, "0.7%", 0.007), ("2.2ms", 0.0022, "1.1%", 0.011), ("0.001m", 0.06, "99.9%", 0.999)],
)
def test_numbers_are_what_their_decimal_digits_say(
    interval: str, seconds: float, budget: str, ratio: float
) -> None:
    """They are published as well, where 0.006999999999999999 would be a riddle."""
    sampling = parse(f"sampling: {{interval: {interval}, cpu_budget: {budget}}}", "c.yaml").sampling
    assert (sampling.interval_seconds, sampling.cpu_budget_ratio) == (seconds, ratio)


def test_which_other_namespaces_are_sampled(everything: Config) -> None:
    assert everything.namespaces == Namespaces(AutoBool.TRUE, ("host", "web-*", "4026532008"), ("web-9",), 1)


@pytest.mark.parametrize(
    ("word", "enabled"),
    [("true", AutoBool.TRUE), ("false", AutoBool.FALSE), ("auto", AutoBool.AUTO), ('"auto"', AutoBool.AUTO)],
)
def test_namespaces_are_sampled_always_never_or_where_possible(word: str, enabled: AutoBool) -> None:
    assert parse(f"namespaces: {{enabled: {word}}}", "c.yaml").namespaces == Namespaces(enabled)


def test_a_namespace_is_selected_where_it_is_included_and_not_excluded() -> None:
    namespaces = Namespaces(include=("web-*", "4026532008"), exclude=("web-9", "*-test"))
    names = ["web-1", "4026532008", "web-9", "web-test", "mail", "Web-1"]
    assert list(map(namespaces.selects, names)) == [True, True, False, False, False, False]


def test_brackets_in_the_name_of_a_namespace_stand_for_themselves() -> None:
    namespaces = Namespaces(include=("web[1]", "[a]*"), exclude=("[a]?x",))
    names = ["web[1]", "web1", "[a]b", "ab", "[a]bx", "abx"]
    assert list(map(namespaces.selects, names)) == [True, False, True, False, False, False]


def test_every_namespace_is_selected_by_default() -> None:
    assert Namespaces().selects("4026532008")


def test_labels_keep_their_order(everything: Config) -> None:
    assert everything.labels == ("user", "pod")


def test_labels_may_be_none_at_all() -> None:
    assert parse("labels: []", "c.yaml").labels == ()


def test_a_level_keeps_the_unit_it_was_written_in(everything: Config) -> None:
    assert everything.defaults.thresholds.levels == {
        ACCEPT_WARNING: Level(0.125, Unit.RATIO),
        ACCEPT_CRITICAL: Level(10.0, Unit.RATIO),
        SYN_WARNING: Level(4294967295, Unit.CONNECTIONS),
        SYN_CRITICAL: Level(0.9, Unit.RATIO),
    }


def test_a_level_may_be_zero() -> None:
    levels = parse("defaults: {accept: {warning: 0, critical: 0%}}", "c.yaml").defaults.thresholds.levels
    assert levels[ACCEPT_WARNING] == Level(0, Unit.CONNECTIONS)
    assert levels[ACCEPT_CRITICAL] == Level(0, Unit.RATIO)


def test_hold_and_release_of_the_defaults(everything: Config) -> None:
    thresholds = everything.defaults.thresholds
    assert (thresholds.hold_seconds, thresholds.release_seconds) == (3.0, 86400.0)


def test_a_rule_takes_from_the_defaults_what_it_leaves_out(everything: Config) -> None:
    rule = everything.rules[0]
    assert rule.thresholds.levels == {
        ACCEPT_WARNING: Level(10, Unit.CONNECTIONS),
        ACCEPT_CRITICAL: Level(10.0, Unit.RATIO),
        SYN_WARNING: Level(4294967295, Unit.CONNECTIONS),
        SYN_CRITICAL: Level(0.91, Unit.RATIO),
    }
    assert (rule.thresholds.hold_seconds, rule.thresholds.release_seconds) == (120.0, 0.25)


def test_a_rule_without_thresholds_has_those_of_the_defaults(everything: Config) -> None:
    assert everything.rules[1].thresholds == everything.defaults.thresholds


def test_an_address_is_a_network_or_a_pattern(everything: Config) -> None:
    match = everything.rules[0].match
    assert match.networks == (ip_network("10.0.0.0/8"), ip_network("192.0.2.1/32"))
    assert match.paths == ("/run/a.sock", "@abstract", "*", "relative.sock", "cafe", "./1.2")


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("::ffff:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:a00:1", "10.0.0.1/32"),
        ("0:0:0:0:0:FFFF:10.0.0.1", "10.0.0.1/32"),
        ("::ffff:0.0.0.0", "0.0.0.0/32"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("::ffff:10.0.0.1/128", "10.0.0.1/32"),
        ("::ffff:0:0/96", "0.0.0.0/0"),
        ("::/0", "::/0"),
        ("::ffff:0:0:1", "::ffff:0:0:1/128"),
        ("::fffe:10.0.0.1", "::fffe:a00:1/128"),
        ("::10.0.0.1", "::a00:1/128"),
    ],
)
def test_an_ipv4_mapped_address_is_the_ipv4_address(text: str, network: str) -> None:
    """Every other IPv6 address with an IPv4 address in it stays one of IPv6."""
    config = parse(f'rules: [{{name: web, match: {{address: "{text}"}}}}]', "c.yaml")
    assert config.rules[0].match.networks == (ip_network(network),)


def test_what_a_container_is_called() -> None:
    assert Namespaces().netns_name is NetnsName.NAME
    assert parse("namespaces: {netns_name: inode}", "c.yaml").namespaces.netns_name is NetnsName.INODE


def test_a_namespace_is_selected_by_any_of_its_names_and_excluded_by_any() -> None:
    some = Namespaces(include=("web-*",), exclude=("4026532002",))
    assert some.selects("web-1", "4026532001")
    assert some.selects("4026532001", "web-1")
    assert not some.selects("web-1", "4026532002")
    assert not some.selects("db", "4026532001")


def test_a_value_alone_is_a_list_of_one(everything: Config) -> None:
    assert everything.rules[0].match.netns == ("host",)
    assert everything.rules[0].match.owners == {
        "process": ("no",),
        "unit": ("a.service", "b-?.service"),
        "container": ("80",),
        "pod": ("web-?",),
        "namespace": ("*",),
    }


def test_ports_are_ranges_with_both_ends(everything: Config) -> None:
    assert everything.rules[1].match.ports == ((1, 1), (80, 80), (8000, 8999), (65535, 65535))


def test_protocols_of_a_rule(everything: Config) -> None:
    assert everything.rules[0].match.protocols == ("tcp", "unix")


def test_a_rule_exports_what_it_says_or_what_the_defaults_say(everything: Config) -> None:
    assert everything.defaults.export is Export.FULL
    assert [rule.export for rule in everything.rules] == [Export.NONE, Export.FULL]


@pytest.mark.parametrize(
    ("word", "export"),
    [("false", Export.NONE), ("lean", Export.LEAN), ('"lean"', Export.LEAN), ("full", Export.FULL)],
)
def test_export_is_one_of_three(word: str, export: Export) -> None:
    config = parse(f"rules: [{{name: web, export: {word}}}]", "c.yaml")
    assert (config.rules[0].export, config.defaults.export) == (export, Export.LEAN)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1ms", 0.001), ("50ms", 0.05), ("57ms", 0.057), ("0.07s", 0.07), ("1.5s", 1.5), ("4s", 4.0)],
)
def test_a_duration_is_the_nearest_number_of_seconds(text: str, seconds: float) -> None:
    config = parse(f"sampling: {{interval: {text}, peak_window: 1h}}", "c.yaml")
    assert config.sampling.interval_seconds == seconds


def test_a_byte_order_mark_and_crlf_are_allowed() -> None:
    config = ConfigFile(str(GOOD / "byte-order-mark-and-crlf.yaml")).load()
    assert (config.max_listeners, config.labels) == (10, ())
