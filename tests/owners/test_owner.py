"""Where each field of an owner is used."""

from __future__ import annotations

from dataclasses import fields

from exporter.owners.owner import OWNER_FACTS, UNKNOWN_OWNER, Owner


def test_every_field_is_a_fact_in_the_same_order() -> None:
    assert [fact.name for fact in OWNER_FACTS] == [field.name for field in fields(Owner)]


def test_facts_that_may_be_labels_of_every_series() -> None:
    names = [fact.name for fact in OWNER_FACTS if fact.label]
    assert names == ["process", "unit", "container", "pod", "namespace", "user"]


def test_facts_that_rules_match_on() -> None:
    names = [fact.name for fact in OWNER_FACTS if fact.match]
    assert names == ["process", "unit", "container", "pod", "namespace"]


def test_labels_of_the_info_metric() -> None:
    """`process` is on every series by default, so the info metric does not repeat it."""
    names = [fact.name for fact in OWNER_FACTS if fact.info]
    assert names == [
        "command",
        "unit",
        "slice",
        "container",
        "container_id",
        "runtime",
        "pod",
        "namespace",
        "user",
        "cgroup",
    ]


def test_a_fact_is_read_from_an_owner() -> None:
    owner = Owner(process="nginx", unit="nginx.service", user="www-data")
    values = {fact.name: fact.of(owner) for fact in OWNER_FACTS}
    assert {name: value for name, value in values.items() if value} == {
        "process": "nginx",
        "unit": "nginx.service",
        "user": "www-data",
    }
    assert {fact.of(UNKNOWN_OWNER) for fact in OWNER_FACTS} == {""}
