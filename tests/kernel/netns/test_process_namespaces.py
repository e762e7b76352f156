"""A process for each namespace, found with as few questions as possible."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.kernel.netns.process_namespaces import ProcessNamespaces

HOST, POD, OTHER = 1000, 2000, 3000


class FakeHost:
    """Processes with their namespaces; `asked` has the processes of each question since it was cleared."""

    def __init__(self, folder: Path) -> None:
        self.inodes: dict[int, int] = {}
        self.hidden: set[int] = set()
        self.asked: list[set[int]] = []
        self.listed = 0
        self.error: OSError | None = None
        self.loadavg = folder / "loadavg"
        self._newest = 0
        self.now = 1000.0
        self._write()

    def fork(self, inode: int, pid: int | None = None) -> int:
        """Start a process in a namespace."""
        self._newest = self._newest + 1 if pid is None else pid
        self.inodes[self._newest] = inode
        self._write()
        return self._newest

    def pids(self) -> list[int]:
        """List them."""
        self.listed += 1
        return sorted(self.inodes)

    def namespaces(self, pids: Sequence[int]) -> dict[int, int]:
        """Tell the namespaces of some."""
        if self.error is not None:
            raise self.error
        self.asked.append(set(pids))
        return {pid: self.inodes[pid] for pid in pids if pid in self.inodes and pid not in self.hidden}

    def find(self, finder: ProcessNamespaces, seconds: float = 1.0) -> Mapping[int, int]:
        """Find after so many seconds."""
        self.now += seconds
        return finder.find(self.now)

    def _write(self) -> None:
        self.loadavg.write_text(f"0.10 0.20 0.30 1/{len(self.inodes) + 9} {self._newest}\n")


@pytest.fixture
def host(tmp_path: Path) -> FakeHost:
    made = FakeHost(tmp_path)
    for _ in range(40):
        made.fork(HOST)
    return made


@pytest.fixture
def finder(host: FakeHost) -> ProcessNamespaces:
    return ProcessNamespaces(host, str(host.loadavg))


def test_the_process_with_the_lowest_number_stands_for_its_namespace(
    host: FakeHost, finder: ProcessNamespaces
) -> None:
    first = host.fork(POD)
    host.fork(POD)
    assert host.find(finder) == {HOST: 1, POD: first}


def test_where_nothing_was_forked_processes_are_not_listed(host: FakeHost, finder: ProcessNamespaces) -> None:
    for _ in range(5):
        host.find(finder)
    assert host.listed == 1
    host.asked.clear()
    for _ in range(4):
        host.find(finder)
    # A tenth of them in turn, and the one that stands for the namespace.
    assert [len(asked) for asked in host.asked] in ([4, 5, 5, 5], [5, 5, 5, 5], [5, 5, 5, 4])
    # Processes that have ended are forgotten all the same.
    host.find(finder, 10.0)
    assert host.listed == 2


def test_a_new_process_is_found_at_once_and_asked_about_three_times(
    host: FakeHost, finder: ProcessNamespaces
) -> None:
    host.find(finder)
    for _ in range(3):
        host.find(finder)
    # Its number is not asked about in its turn before.
    new = host.fork(POD, pid=1000 + (finder_round(host, finder) + 8) % 10)
    host.asked.clear()
    assert host.find(finder)[POD] == new
    # Processes that share a namespace with another are asked about no further.
    later = host.fork(HOST, pid=new + 10)
    for _ in range(4):
        host.find(finder)
    assert sum(later in asked for asked in host.asked) == 3


def finder_round(host: FakeHost, finder: ProcessNamespaces) -> int:
    """Return the remainder of the numbers that were asked about in the last round."""
    host.asked.clear()
    host.find(finder)
    (asked,) = host.asked
    return max(asked - {1}) % 10


def test_a_process_that_enters_a_namespace_soon_after_it_was_forked_is_found_at_once(
    host: FakeHost, finder: ProcessNamespaces
) -> None:
    host.find(finder)
    new = host.fork(HOST)
    host.find(finder)
    host.inodes[new] = POD
    assert host.find(finder)[POD] == new


def test_a_process_that_enters_one_later_is_found_within_ten_rounds(
    host: FakeHost, finder: ProcessNamespaces
) -> None:
    for _ in range(20):
        host.find(finder)
    host.inodes[17] = POD
    found = [POD in host.find(finder) for _ in range(10)]
    assert found[-1]


def test_where_the_process_that_stands_for_a_namespace_ended_another_one_does(
    host: FakeHost, finder: ProcessNamespaces
) -> None:
    first, second, third = (host.fork(POD) for _ in range(3))
    assert host.find(finder)[POD] == first
    del host.inodes[first], host.inodes[second]
    assert host.find(finder)[POD] == third
    # The one that stands for it stays the same, though another has a lower number.
    host.inodes[7] = POD
    for _ in range(12):
        assert host.find(finder)[POD] == third
    del host.inodes[third]
    assert host.find(finder)[POD] == 7
    host.inodes[7] = HOST
    assert POD not in host.find(finder)


def test_of_those_that_are_left_none_is_chosen_by_where_it_was_before(
    host: FakeHost, finder: ProcessNamespaces
) -> None:
    first, second, third = (host.fork(POD) for _ in range(3))
    for _ in range(10):
        host.find(finder)
    del host.inodes[first]
    host.inodes[second] = OTHER
    assert host.find(finder) == {HOST: 1, POD: third, OTHER: second}


def test_where_nothing_has_changed_the_answer_is_the_same_mapping(
    host: FakeHost, finder: ProcessNamespaces
) -> None:
    found = host.find(finder)
    assert host.find(finder) is found
    host.fork(POD)
    assert host.find(finder) is not found


def test_where_nothing_was_forked_processes_are_listed_every_ten_seconds(
    host: FakeHost, finder: ProcessNamespaces
) -> None:
    for _ in range(31):
        host.find(finder)
    assert host.listed == 4


def test_a_process_that_moved_to_another_namespace_stands_for_that(
    host: FakeHost, finder: ProcessNamespaces
) -> None:
    pid = host.fork(POD)
    host.find(finder)
    host.inodes[pid] = OTHER
    assert host.find(finder) == {HOST: 1, OTHER: pid}


def test_a_process_that_takes_the_place_of_its_parent_is_found_in_the_same_round(
    host: FakeHost, finder: ProcessNamespaces
) -> None:
    """As a daemon that forks and lets its parent end."""
    parent = host.fork(POD)
    host.find(finder)
    child = host.fork(POD)
    del host.inodes[parent]
    assert host.find(finder)[POD] == child


def test_processes_that_may_not_be_traced_are_in_no_namespace(
    host: FakeHost, finder: ProcessNamespaces
) -> None:
    host.hidden = {host.fork(POD)}
    assert host.find(finder) == {HOST: 1}


def test_after_an_error_nothing_is_missed(host: FakeHost, finder: ProcessNamespaces) -> None:
    host.find(finder)
    new = host.fork(POD)
    host.error = OSError(5, "I/O")
    with pytest.raises(OSError, match="I/O"):
        host.find(finder)
    host.error = None
    assert host.find(finder)[POD] == new


@given(st.data())
def test_whatever_happens_it_is_right_after_ten_quiet_rounds(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    host = FakeHost(tmp_path_factory.mktemp("host"))
    finder = ProcessNamespaces(host, str(host.loadavg))
    inodes = st.sampled_from([HOST, POD, OTHER])
    for _ in range(data.draw(st.integers(1, 12))):
        for _ in range(data.draw(st.integers(0, 3))):
            host.fork(data.draw(inodes))
        if host.inodes:
            pid = data.draw(st.sampled_from(sorted(host.inodes)))
            if data.draw(st.booleans()):
                del host.inodes[pid]
            else:
                host.inodes[pid] = data.draw(inodes)
        host.find(finder)
    for _ in range(9):
        host.find(finder)
    found = host.find(finder)
    assert found.keys() == set(host.inodes.values())
    assert all(host.inodes[pid] == inode for inode, pid in found.items())
