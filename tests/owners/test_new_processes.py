"""Which processes are new."""

from __future__ import annotations

from exporter.owners.new_processes import NewProcesses

LOOK_SECONDS = 2.0
NEW_SECONDS = 5.0


def test_no_process_is_new_that_was_there_at_first() -> None:
    processes = NewProcesses()
    processes.note([1, 2], 0.0)
    assert processes.look_at([1, 2], 0.0) == []
    assert NewProcesses().look_at([1, 2], 0.0) == []


def test_a_process_is_new_for_five_seconds_after_it_is_seen_first() -> None:
    """It gets sockets, and its name, some time after it starts."""
    processes = NewProcesses()
    processes.note([1], 0.0)
    assert processes.look_at([1, 9, 5], 10.0) == [5, 9]
    assert processes.look_at([1, 9, 5], 10.0 + NEW_SECONDS - 0.1) == [5, 9]
    assert processes.look_at([1, 9, 5], 10.0 + NEW_SECONDS) == []


def test_a_number_that_comes_back_is_new() -> None:
    processes = NewProcesses()
    processes.note([1, 2], 0.0)
    processes.note([1], 1.0)
    assert processes.look_at([1, 2], 2.0) == [2]


def test_it_is_looked_for_new_ones_every_two_seconds() -> None:
    processes = NewProcesses()
    assert processes.due(0.0)
    processes.look_at([1], 0.0)
    assert not processes.due(LOOK_SECONDS - 0.1)
    assert processes.due(LOOK_SECONDS)
