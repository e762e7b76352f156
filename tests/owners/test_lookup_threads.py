"""Threads for lookups: one after the other, and others go on where one hangs."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from exporter.owners.lookup_threads import MAX_THREADS, Lookup, LookupThreads
from testbed.waiting import equals, until

HANGING_SECONDS = 0.2


class Lookups:
    """Lookups that note what happens to them, and that hang until the end of the test."""

    def __init__(self) -> None:
        self.threads = LookupThreads(hanging_seconds=HANGING_SECONDS)
        self.made: list[str] = []
        self.hung: list[str] = []
        self.names: list[int] = []
        self.go_on = threading.Event()

    def add(self, name: str, wait: Callable[[], object] = lambda: None) -> None:
        """Make a lookup that takes as long as `wait`."""

        def run() -> None:
            self.names.append(threading.get_ident())
            wait()
            self.made.append(name)

        self.threads.add(Lookup(run, lambda: self.hung.append(name)))

    def until_made(self, *names: str) -> None:
        """Watch until these lookups were made."""

        def made() -> set[str]:
            self.threads.replace_hung()
            return set(self.made)

        until(made, lambda found: set(names) <= found)

    def until_hung(self, *names: str) -> None:
        """Watch until these lookups were found to hang."""

        def hung() -> list[str]:
            self.threads.replace_hung()
            return self.hung

        until(hung, equals(list(names)))


@pytest.fixture
def lookups() -> Iterator[Lookups]:
    """Lookups whose threads end with the test."""
    made = Lookups()
    yield made
    made.go_on.set()


def test_lookups_are_made_one_after_the_other_in_one_thread(lookups: Lookups) -> None:
    for number in range(100):
        lookups.add(str(number))
    lookups.until_made("99")
    assert lookups.made == [str(number) for number in range(100)]
    assert len(set(lookups.names)) == 1
    assert threading.get_ident() not in lookups.names


def test_a_lookup_that_hangs_does_not_keep_others_waiting(lookups: Lookups, tmp_path: Path) -> None:
    """It may hang in any way: opening a named pipe that nobody writes to is a system call."""
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    lookups.add("fifo", lambda: fifo.open("rb").close())
    lookups.add("next")
    lookups.until_made("next")
    assert lookups.hung == ["fifo"]
    assert len(set(lookups.names)) == 2
    with fifo.open("wb"):
        lookups.until_made("fifo")
    lookups.add("last")
    lookups.until_made("last")
    assert lookups.names[-1] == lookups.names[1], "the thread that hung has ended"


def test_nobody_waits_for_a_lookup(lookups: Lookups) -> None:
    for number in range(1000):
        lookups.add(str(number), lookups.go_on.wait)
        lookups.threads.replace_hung()
    assert lookups.made == []


def test_where_a_few_hang_others_wait_for_the_end_of_one(lookups: Lookups) -> None:
    names = [f"hanging {number}" for number in range(MAX_THREADS)]
    one = threading.Event()
    lookups.add(names[0], one.wait)
    for name in names[1:]:
        lookups.add(name, lookups.go_on.wait)
    lookups.add("next")
    lookups.until_hung(*names)
    time.sleep(2 * HANGING_SECONDS)
    lookups.threads.replace_hung()
    assert (lookups.made, lookups.hung) == ([], names)
    one.set()
    lookups.until_made(names[0], "next")
    assert lookups.names[-1] == lookups.names[0]
    assert len(set(lookups.names)) == MAX_THREADS


def test_a_lookup_that_hangs_is_told_of_once(lookups: Lookups) -> None:
    lookups.add("hanging", lookups.go_on.wait)
    lookups.until_hung("hanging")
    for _ in range(5):
        time.sleep(HANGING_SECONDS / 4)
        lookups.threads.replace_hung()
    assert lookups.hung == ["hanging"]


def test_the_program_ends_while_a_lookup_hangs(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    program = (
        "import sys, time; from exporter.owners.lookup_threads import Lookup, LookupThreads; "
        "LookupThreads().add(Lookup(lambda: open(sys.argv[1]), lambda: None)); time.sleep(0.3); print('end')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "fifo"],
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    )
    assert (done.stdout, done.stderr) == ("end\n", "")


def test_without_lookups_there_is_no_thread() -> None:
    before = threading.active_count()
    threads = LookupThreads()
    threads.replace_hung()
    assert threading.active_count() == before
