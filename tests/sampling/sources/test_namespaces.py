"""Which other namespaces are found, chosen and named."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from exporter.broker.wire import NamespaceTarget
from exporter.config import parse
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.discovery import NamespaceRef
from exporter.owners.workloads import Workload, Workloads
from exporter.sampling.namespace_labels import NamespaceLabels
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.sources.namespaces import NamespaceDiscovery
from tests.sampling.fake_access import FakeAccess
from tests.sampling.fake_workloads import FakeWorkloads


class Setup:
    """The source, and the namespaces that a test makes."""

    def __init__(self, config: str = "{}") -> None:
        self.access = FakeAccess()
        self.workloads = FakeWorkloads(others=Workload("", 0))
        parsed = parse(config, "c.yaml")
        labels = NamespaceLabels(cast("Workloads", self.workloads))
        self.source = NamespaceDiscovery(cast("NamespaceAccess", self.access), parsed, labels)
        clock = self.access.clock.clock()
        self.runner = SourceRunner(self.source, "host", parsed, threading.Lock(), clock)

    def names(self) -> list[str]:
        """Ask once, and return the names of those that were chosen."""
        self.runner.run(self.access.clock.now)
        assert self.runner.error is None
        return sorted(self.source.chosen)


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("{}", ["5", "db", "web-1", "web-2"]),
        ("namespaces: {include: ['web-*']}", ["web-1", "web-2"]),
        ("namespaces: {include: ['web-*', '5'], exclude: ['web-2']}", ["5", "web-1"]),
        ("namespaces: {exclude: ['*']}", []),
        ("namespaces: {enabled: false}", []),
    ],
)
def test_only_those_that_are_wanted_are_chosen(config: str, expected: list[str]) -> None:
    setup = Setup(config)
    setup.access.add(5)
    for inode, name in ((1, "web-1"), (2, "web-2"), (3, "db")):
        setup.access.add(inode, name=name)
    assert setup.names() == expected
    assert setup.source.omitted == 0


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ("{}", ["db", "web"]),
        ("namespaces: {include: ['web']}", ["web"]),
        ("namespaces: {include: ['4026532001']}", ["web"]),
        ("namespaces: {include: ['40265320*']}", ["db", "web"]),
        ("namespaces: {exclude: ['4026532001']}", ["db"]),
        ("namespaces: {exclude: ['web']}", ["db"]),
        ("namespaces: {include: ['w*'], exclude: ['4026532001']}", []),
    ],
)
def test_a_namespace_is_selected_by_its_label_or_its_number(config: str, expected: list[str]) -> None:
    setup = Setup(config)
    for inode, name in ((4026532001, "web"), (4026532002, "db")):
        setup.access.add(inode)
        setup.workloads.run(inode, name)
    assert setup.names() == expected


def test_labels_that_become_known_later_are_used_though_no_namespace_came_or_went() -> None:
    setup = Setup()
    setup.workloads.others = None
    setup.access.add(1)
    assert setup.names() == []
    assert setup.source.labels_due is not None
    setup.workloads.run(1, "web")
    assert setup.names() == ["web"]
    chosen = setup.source.chosen
    assert setup.names() == ["web"]
    assert setup.source.chosen is chosen
    assert setup.source.labels_due is None


def test_after_a_reload_labels_are_of_the_other_kind() -> None:
    setup = Setup("namespaces: {netns_name: inode}")
    setup.access.add(1)
    setup.workloads.run(1, "web")
    assert setup.names() == ["1"]
    assert setup.workloads.asked == []
    setup.source.configure(parse("namespaces: {netns_name: name}", "c.yaml"))
    assert setup.names() == ["web"]
    setup.source.configure(parse("namespaces: {netns_name: inode}", "c.yaml"))
    assert setup.names() == ["1"]


def test_where_there_are_too_many_those_that_are_known_stay() -> None:
    setup = Setup("namespaces: {max: 3}")
    setup.access.add(7, 8)
    assert setup.names() == ["7", "8"]
    setup.access.add(1, 2, 3)
    assert setup.names() == ["1", "7", "8"]
    assert setup.source.omitted == 2
    del setup.access.refs[7], setup.access.refs[8]
    assert setup.names() == ["1", "2", "3"]
    assert setup.source.omitted == 0


def test_where_there_are_too_many_those_with_a_name_come_first() -> None:
    """A user who makes namespaces without end leaves out no container, also none that starts later."""
    setup = Setup("namespaces: {max: 3}")
    setup.access.add(1, 2, 3, 4)
    assert setup.names() == ["1", "2", "3"]
    setup.access.add(9, name="web")
    assert setup.names() == ["1", "2", "web"]
    assert setup.source.omitted == 2


def test_a_name_that_could_be_taken_for_that_of_another_is_not_used() -> None:
    setup = Setup()
    names = {1: "web", 2: "host", 3: "123", 4: "4026531840", 5: "a b", 6: "\u0663", 7: "-1", 8: "a\\b"}
    for inode, name in names.items():
        setup.access.add(inode, name=name)
    setup.access.add(9)
    assert setup.names() == sorted(["web", "2", "3", "4", "a b", "6", "-1", "a\\x5cb", "9"])


def test_of_two_names_that_read_the_same_one_is_a_number() -> None:
    setup = Setup()
    for inode in (8, 7):
        setup.access.refs[inode] = NamespaceRef(inode, b"web", NamespaceTarget(name=b"web"))
    assert setup.names() == ["8", "web"]
    assert setup.source.chosen["web"].inode == 7


def test_none_is_chosen_any_more_where_none_is_wanted() -> None:
    setup = Setup("namespaces: {max: 1}")
    setup.access.add(1, 2)
    assert (setup.names(), setup.source.omitted) == (["1"], 1)
    setup.source.configure(parse("namespaces: {enabled: false}", "c.yaml"))
    assert (setup.names(), setup.source.omitted) == ([], 0)


def test_it_is_asked_once_a_second_whatever_the_interval_is() -> None:
    assert Setup("sampling: {interval: 4s}").runner.schedule.interval == 1.0


def test_where_none_is_wanted_any_more_the_broker_does_not_wait_for_questions() -> None:
    setup = Setup()
    setup.access.add(1)
    assert setup.names() == ["1"]
    assert setup.access.watch_ended == 0
    setup.source.configure(parse("namespaces: {enabled: false}", "c.yaml"))
    assert setup.names() == []
    assert setup.names() == []
    # Those that were sampled are closed only after the first look.
    assert setup.access.watch_ended == 2
