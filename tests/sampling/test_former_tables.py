"""Listeners of namespaces that are gone, and of those that have their labels after them."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from exporter.config import parse
from exporter.config.model import Config
from exporter.kernel.family import TCP
from exporter.kernel.records import Changes
from exporter.listeners.registry import REMEMBER_SECONDS
from exporter.sampling.former_tables import FormerTables
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.listener_table import ListenerTable
from tests.listeners.sockets import reading, tcp

CONFIG = Config()


@dataclass(frozen=True)
class Gone:
    """A namespace that is gone."""

    name: str
    table: ListenerTable


def sample(table: ListenerTable, cookie: int, now: float, length: int = 0) -> None:
    """Find a listener at port 80 that may hold a connection."""
    table.accept_timelines[TCP].record(now)
    table.update(TCP, Changes(opened=((tcp(cookie), reading(cookie, length=length, limit=0)),)), now)


def states(table: ListenerTable) -> list[ListenerState]:
    return [state for state in table.states.values() if state.group.members]


def test_a_namespace_with_the_label_of_one_that_is_gone_has_its_listeners() -> None:
    former = FormerTables()
    table = former.table("web", CONFIG, "7", 0.0)
    sample(table, 1, 0.0, length=1)
    table.accept_timelines[TCP].record(2.0)
    (state,) = states(table)
    former.keep(b"", Gone("web", table), 2.0)
    assert states(table) == []
    again = former.table("web", CONFIG, "8", 4.0)
    sample(again, 2, 4.0)
    assert states(again) == [state]
    # It was full for the two seconds before the end, and for none after that.
    assert state.accept.full_seconds() == 2.0


def test_it_has_them_once() -> None:
    former = FormerTables()
    table = former.table("web", CONFIG, "7", 0.0)
    former.keep(b"", Gone("web", table), 0.0)
    assert former.table("web", CONFIG, "8", 1.0) is table
    assert former.table("web", CONFIG, "9", 1.0) is not table


@pytest.mark.parametrize(("label", "seconds"), [("db", 0.0), ("web", REMEMBER_SECONDS + 1)])
def test_one_with_another_label_or_much_later_has_none(label: str, seconds: float) -> None:
    former = FormerTables()
    table = former.table("web", CONFIG, "7", 0.0)
    former.keep(b"", Gone("web", table), 0.0)
    assert former.table(label, CONFIG, "8", seconds) is not table


def test_the_number_of_an_inode_is_no_name() -> None:
    """Another namespace may have got it."""
    former = FormerTables()
    table = former.table("4026532264", CONFIG, "4026532264", 0.0)
    former.keep(b"", Gone("4026532264", table), 0.0)
    assert former.table("4026532264", CONFIG, "4026532264", 1.0) is not table


def test_what_runs_under_a_name_that_was_given_by_hand_may_be_something_else() -> None:
    former = FormerTables()
    table = former.table("web", CONFIG, "7", 0.0)
    former.keep(b"web", Gone("web", table), 0.0)
    assert former.table("web", CONFIG, "8", 1.0) is not table


def test_a_name_that_an_engine_made_is_not_the_label() -> None:
    former = FormerTables()
    table = former.table("web-0", CONFIG, "7", 0.0)
    former.keep(b"cni-2f6b1c9e-8a7d-4f13-9c55-0d1e2f3a4b5c", Gone("web-0", table), 0.0)
    assert former.table("web-0", CONFIG, "8", 1.0) is table


def test_so_many_are_kept() -> None:
    former = FormerTables()
    kept = {f"web-{number}": former.table(f"web-{number}", CONFIG, "7", 0.0) for number in range(257)}
    for label, table in kept.items():
        former.keep(b"", Gone(label, table), 0.0)
    assert former.table("web-0", CONFIG, "7", 0.0) is not kept["web-0"]
    assert former.table("web-1", CONFIG, "7", 0.0) is kept["web-1"]


def test_rules_are_those_of_the_configuration_and_of_the_number_at_that_time() -> None:
    former = FormerTables()
    table = former.table("web", CONFIG, "7", 0.0)
    sample(table, 1, 0.0)
    former.keep(b"", Gone("web", table), 0.0)
    rules = 'rules: [{name: first, match: {netns: "7"}}, {name: second, match: {netns: "8"}}]'
    again = former.table("web", parse(rules, "c.yaml"), "8", 1.0)
    sample(again, 2, 1.0)
    (state,) = states(again)
    assert state.rule_match is not None
    assert state.rule_match.rule == "second"
