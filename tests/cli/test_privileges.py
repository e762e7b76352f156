"""Capabilities: what the broker gets, and what is left."""

from __future__ import annotations

import os
import resource

import pytest

from exporter.broker.capabilities import permitted
from exporter.cli.privileges import Privileges
from exporter.errors import RunError
from testbed import privileges


@pytest.mark.netns
def test_without_capabilities_there_is_no_broker() -> None:
    privileges.drop_to()
    assert Privileges().start_brokers() is None


@pytest.mark.netns
def test_all_capabilities_are_dropped() -> None:
    assert permitted(), "a test with a network namespace of its own has capabilities in it"
    Privileges().drop_all(brokers=False)
    assert permitted() == frozenset()


def allow_descriptors(count: int) -> None:
    """Let this process open `count` descriptors more."""
    # The directory that lists them is one of those listed.
    used = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208  (names are all that is needed)
    for _ in range(used):
        os.dup(0)
    highest = os.dup(0)
    os.close(highest)
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + count, highest + count))


@pytest.mark.netns
@pytest.mark.parametrize(
    ("descriptors", "message"),
    [
        (0, "cannot read the capabilities of this process: .*Too many open files"),
        (1, "cannot start the supervisor of the brokers: .*Too many open files"),
    ],
)
def test_failure_to_start_the_broker_is_a_run_error(descriptors: int, message: str) -> None:
    allow_descriptors(descriptors)
    with pytest.raises(RunError, match=message):
        Privileges().start_brokers()


@pytest.mark.netns
def test_failure_to_drop_capabilities_is_a_run_error() -> None:
    allow_descriptors(0)
    with pytest.raises(RunError, match=r"cannot drop capabilities: .*Too many open files"):
        Privileges().drop_all(brokers=False)
