"""Which other namespaces are found, chosen and named."""

from __future__ import annotations

import threading
from typing import cast

import pytest

from exporter.broker.wire import NamespaceTarget
from exporter.config import parse
from exporter.kernel.netns.access import NamespaceAccess
from exporter.kernel.netns.discovery import NamespaceRef
from exporter.sampling.source_runner import SourceRunner
from exporter.sampling.sources.namespaces import NamespaceDiscovery
from tests.sampling.fake_access import FakeAccess


class Setup:
    """The source, and the namespaces that a test makes."""

    def __init__(self, config: str = "") -> None:
        self.access = FakeAccess()
        parsed = parse(config, "c.yaml")
        self.source = NamespaceDiscovery(cast("NamespaceAccess", self.access), parsed)
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
        ("", ["5", "db", "web-1", "web-2"]),
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
    assert Setup("sampling: {interval: 5s}").runner.schedule.interval == 1.0
