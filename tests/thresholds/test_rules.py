"""Which rule applies to a listener."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.config import parse
from exporter.config.model import Export, Level, Queue, Severity, Unit
from exporter.listeners.key import ListenerKey
from exporter.owners.owner import UNKNOWN_OWNER, Owner
from exporter.thresholds.rules import RuleMatch, RuleSet

NGINX = Owner(process="nginx", user="www-data")


def tcp(address: str = "0.0.0.0", port: int = 80, netns: str = "host") -> ListenerKey:
    return ListenerKey(netns, "tcp", address, str(port))


def unix(address: str, netns: str = "host") -> ListenerKey:
    return ListenerKey(netns, "unix", address, "")


def match_of(text: str, key: ListenerKey, owner: Owner = UNKNOWN_OWNER) -> RuleMatch:
    return RuleSet(parse(text, "c.yaml")).match(key, owner)


def applies(match: str, key: ListenerKey, owner: Owner = UNKNOWN_OWNER) -> bool:
    """Whether a rule with this `match` applies to the listener."""
    return match_of(f"rules: [{{name: asked, match: {match}}}]", key, owner).rule == "asked"


@pytest.mark.parametrize(
    ("match", "yes", "no"),
    [
        ("{protocol: tcp}", tcp(), unix("/run/a")),
        ("{protocol: unix}", unix("@a"), tcp()),
        ("{port: 80}", tcp(port=80), tcp(port=8080)),
        ("{port: 80}", tcp(port=80), unix("80")),
        ("{port: 8000-8999}", tcp(port=8000), tcp(port=7999)),
        ("{port: 8000-8999}", tcp(port=8999), tcp(port=9000)),
        ("{netns: host}", tcp(netns="host"), tcp(netns="hostile")),
        ("{netns: 'cni-*'}", unix("/a", netns="cni-1"), unix("/a", netns="cn")),
        ("{address: 127.0.0.1}", tcp("127.0.0.1"), tcp("127.0.0.2")),
        ("{address: 127.0.0.0/8}", tcp("127.255.0.1"), tcp("128.0.0.1")),
        ("{address: '::1'}", tcp("::1"), tcp("::")),
        ("{address: '2001:db8::/32'}", tcp("2001:db8:1::1"), tcp("2001:db9::1")),
        ("{address: 0.0.0.0/0}", tcp("10.0.0.1"), tcp("::")),
        ("{address: '::/0'}", tcp("2001:db8::1"), tcp("10.0.0.1")),
        ("{address: '::ffff:10.0.0.1'}", tcp("10.0.0.1"), tcp("10.0.0.2")),
        ("{address: '::ffff:10.0.0.0/104'}", tcp("10.1.2.3%eth0"), tcp("11.0.0.1")),
        ("{address: '/run/php/*.sock'}", unix("/run/php/8.2.sock"), unix("/run/php/8.2.socket")),
        ("{address: '/run/*'}", unix("/run/a/b"), unix("/var/run/a")),
        ("{address: '@name'}", unix("@name"), unix("@names")),
        ("{address: '/run/app?'}", unix("/run/app1"), unix("/run/app12")),
        ("{address: '/run/app[12]'}", unix("/run/app[12]"), unix("/run/app1")),
        ("{address: '/run/[old] *.sock'}", unix("/run/[old] x.sock"), unix("/run/d x.sock")),
        ("{address: '?080'}", unix("8080"), unix("[8]080")),
        (r"{address: '@back\x5cslash?'}", unix(r"@back\x5cslash1"), unix("@backslash1")),
        ("{netns: '[a]*'}", tcp(netns="[a]b"), tcp(netns="ab")),
        ("{address: '*'}", unix("/anything"), tcp()),
        ("{address: 0.0.0.0/0}", tcp(), unix("0.0.0.0")),
    ],
)
def test_key_tells_listeners_apart(match: str, yes: ListenerKey, no: ListenerKey) -> None:
    assert applies(match, yes)
    assert not applies(match, no)


@pytest.mark.parametrize(
    ("netns", "matched"),
    [
        ("web", True), ("w*", True), ("'4026532001'", True), ("'4026*'", True), ("[db, '4026532001']", True),
        ("db", False), ("'4026532002'", False), ("host", False),
    ],
)  # fmt: skip
def test_a_namespace_is_matched_by_its_label_or_its_number(netns: str, matched: bool) -> None:  # noqa: FBT001
    config = parse(f"rules: [{{name: asked, match: {{netns: {netns}}}}}]", "c.yaml")
    found = RuleSet(config, "4026532001").match(tcp(netns="web"), UNKNOWN_OWNER).rule
    assert (found == "asked") is matched


def test_address_is_compared_on_every_device() -> None:
    assert applies("{address: 0.0.0.0}", tcp("0.0.0.0%eth0"))
    assert applies("{address: 'fe80::/10'}", tcp("fe80::1%eth0"))
    assert not applies("{address: 127.0.0.0/8}", tcp(r"0.0.0.0%127.0.0.1"))
    assert applies("{address: 0.0.0.0}", tcp("0.0.0.0%we%ird"))


def test_case_of_a_name_matters() -> None:
    assert not applies("{address: '/run/APP'}", unix("/run/app"))
    assert not applies("{process: NGINX}", tcp(), NGINX)


def test_process_is_compared_where_it_is_known() -> None:
    assert applies("{process: 'ngin*'}", tcp(), NGINX)
    assert not applies("{process: 'ngin*'}", tcp(), UNKNOWN_OWNER)
    assert not applies("{process: nginx}", tcp(), Owner(user="nginx"))


@pytest.mark.parametrize("key", ["process", "container"])
def test_brackets_in_the_name_of_an_owner_stand_for_themselves(key: str) -> None:
    owners = [replace(UNKNOWN_OWNER, **{key: name}) for name in ("[a]b", "ab")]
    for glob in ("[a]?", "[a]b"):
        assert [applies(f"{{{key}: '{glob}'}}", tcp(), owner) for owner in owners] == [True, False]


@pytest.mark.parametrize(
    ("pattern", "yes"),
    [
        ("victoria-metrics-prod", True),
        ("victoria-metric", True),
        ("victoria-metric?", False),
        ("victoria", False),
    ],
)
def test_a_process_is_matched_by_the_name_of_the_program_or_by_its_command_name(
    pattern: str, *, yes: bool
) -> None:
    owner = Owner(process="victoria-metrics-prod", command="victoria-metric")
    assert applies(f"{{process: '{pattern}'}}", tcp(), owner) is yes


WEB = Owner(unit="web.service", container="web-1", pod="web-7d9f", namespace="shop")


@pytest.mark.parametrize(
    ("match", "yes"),
    [
        ("{unit: 'web*.service'}", True),
        ("{unit: web.socket}", False),
        ("{container: 'web-?'}", True),
        ("{container: web}", False),
        ("{pod: 'web-*', namespace: shop}", True),
        ("{pod: 'web-*', namespace: bank}", False),
        ("{namespace: [bank, shop]}", True),
        ("{pod: 'web-?d9'}", False),
    ],
)
def test_owner_is_compared_by_what_its_labels_say(match: str, *, yes: bool) -> None:
    assert applies(match, tcp(), WEB) is yes


@pytest.mark.parametrize("key", ["unit", "container", "pod", "namespace"])
def test_what_is_not_known_of_an_owner_is_empty(key: str) -> None:
    name = "nginx.service" if key == "unit" else "nginx"
    assert not applies(f"{{{key}: {name}}}", tcp(), NGINX)


def test_list_means_any_of_them() -> None:
    ports = "{port: [22, 80, 8000-8999]}"
    assert [port for port in (21, 22, 80, 81, 8080, 9000) if applies(ports, tcp(port=port))] == [22, 80, 8080]
    assert applies("{protocol: [tcp, unix]}", unix("/a"))
    assert applies("{process: [httpd, nginx]}", tcp(), NGINX)
    assert applies("{netns: [blue, green]}", tcp(netns="green"))


def test_list_of_addresses_may_hold_both_kinds() -> None:
    """A network matches tcp, a pattern unix, and neither the other."""
    mixed = "{address: [127.0.0.0/8, '::1', '/run/*']}"
    asked = [tcp("127.0.0.1"), tcp("::1"), unix("/run/a"), tcp("10.0.0.1"), unix("/var/a"), unix("127.0.0.1")]
    assert [applies(mixed, key) for key in asked] == [True, True, True, False, False, False]


@pytest.mark.parametrize(
    ("key", "owner"),
    [
        (tcp("10.0.0.1", 80), UNKNOWN_OWNER),
        (tcp("10.0.0.1", 81), NGINX),
        (tcp("11.0.0.1", 80), NGINX),
        (tcp("10.0.0.1", 80, netns="blue"), NGINX),
        (unix("/run/a"), NGINX),
    ],
)
def test_several_keys_mean_all_of_them(key: ListenerKey, owner: Owner) -> None:
    match = "{protocol: tcp, address: 10.0.0.0/8, port: 80, process: nginx, netns: host}"
    assert applies(match, tcp("10.0.0.1", 80), NGINX)
    assert not applies(match, key, owner)


@pytest.mark.parametrize("key", [tcp(), tcp("::"), unix("/run/a"), unix("@")])
def test_empty_match_matches_everything(key: ListenerKey) -> None:
    assert applies("{}", key)


def test_first_rule_that_matches_applies() -> None:
    text = """
        rules:
          - {name: web, match: {port: 80}, export: full}
          - {name: tcp, match: {protocol: tcp}, export: false}
          - {name: rest, match: {}}
    """
    found = [match_of(text, key) for key in (tcp(port=80), tcp(port=81), unix("/a"))]
    assert [(rule_match.rule, rule_match.export) for rule_match in found] == [
        ("web", Export.FULL),
        ("tcp", Export.NONE),
        ("rest", Export.LEAN),
    ]


def test_defaults_apply_where_no_rule_does() -> None:
    text = """
        defaults: {accept: {warning: 20%}, hold: 3s, export: full}
        rules: [{name: web, match: {port: 80}}]
    """
    rule_match = match_of(text, tcp(port=81))
    assert (rule_match.rule, rule_match.export) == ("defaults", Export.FULL)
    assert rule_match.thresholds.levels[Queue.ACCEPT, Severity.WARNING] == Level(0.2, Unit.RATIO)
    assert rule_match.thresholds.hold_seconds == 3.0


def test_rule_gives_its_own_thresholds() -> None:
    text = "rules: [{name: web, match: {port: 80}, accept: {warning: 10, critical: 100}, release: 1s}]"
    thresholds = match_of(text, tcp(port=80)).thresholds
    assert thresholds.levels[Queue.ACCEPT, Severity.CRITICAL] == Level(100.0, Unit.CONNECTIONS)
    assert thresholds.levels[Queue.SYN_RECV, Severity.CRITICAL] == Level(0.9, Unit.RATIO)
    assert thresholds.release_seconds == 1.0
