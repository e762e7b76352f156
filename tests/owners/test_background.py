"""Answers from another thread: what is known meanwhile, and what happens where a lookup fails or hangs."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Hashable, Sequence

import pytest

from exporter.kernel.errors import AccessHungError, KernelError
from exporter.owners.answers import SETTLED_SECONDS, Repetition
from exporter.owners.background import BackgroundLookups
from exporter.owners.lookup_batch import BatchLookup
from exporter.owners.lookup_threads import Lookup, LookupThreads
from testbed.waiting import equals, until
from tests.owners.inline_lookups import InlineLookups

PAUSE_SECONDS = 60.0
FAILED = KernelError("cannot look up", "EIO")
HUNG = AccessHungError("cannot look up")


class Lookups:
    """Lookups of numbers, whose answers a test sets; what it raises is raised."""

    def __init__(
        self, *, held: bool = True, repetition: Repetition[str] | None = None, most: int = 100
    ) -> None:
        self.now = 100.0
        self.runner = InlineLookups(held=held)
        self.answers: dict[int, str | Exception] = {}
        self.asked: list[int] = []
        self.lookups = BackgroundLookups[int, str](
            self._look_up,
            self.runner,
            "numbers",
            origin=self._origin,
            repetition=repetition,
            max_entries=most,
            clock=lambda: self.now,
        )

    def _look_up(self, key: int) -> str:
        self.asked.append(key)
        answer = self.answers.get(key, str(key))
        if isinstance(answer, Exception):
            raise answer
        return answer

    @staticmethod
    def _origin(key: int) -> Hashable:
        return key // 10

    def pass_time(self, seconds: float) -> None:
        """Let time pass, and look after the lookups."""
        self.now += seconds
        self.lookups.poll()


def test_an_answer_is_known_after_its_lookup() -> None:
    made = Lookups()
    lookups = made.lookups
    assert (lookups.answer(1), lookups.settled(1), lookups.final(1)) == (None, False, False)
    version = lookups.version
    made.runner.run_one()
    assert (lookups.answer(1), lookups.settled(1), lookups.final(1)) == ("1", True, True)
    assert lookups.version == version + 1


def test_a_key_is_looked_up_once_however_often_it_is_asked_for() -> None:
    made = Lookups(held=False)
    for _ in range(5):
        assert made.lookups.settled(1)
        assert made.lookups.answer(1) == "1"
        made.pass_time(1000)
    assert made.asked == [1]


def test_an_answer_that_takes_long_is_not_waited_for() -> None:
    made = Lookups()
    made.lookups.answer(1)
    made.pass_time(SETTLED_SECONDS - 0.01)
    assert (made.lookups.settled(1), made.lookups.version) == (False, 0)
    made.pass_time(0.01)
    assert made.lookups.settled(1)
    assert made.lookups.version == 1, "so that who waited is told"
    made.pass_time(1)
    made.runner.run_one()
    assert (made.lookups.answer(1), made.lookups.version) == ("1", 2)


def test_one_that_asks_later_does_not_wait_longer() -> None:
    """The deadline counts from the first time that a key was asked for."""
    made = Lookups()
    made.lookups.answer(1)
    made.now += SETTLED_SECONDS
    assert made.lookups.settled(1)
    assert not made.lookups.settled(2)


def test_a_lookup_that_failed_is_repeated_a_few_times() -> None:
    made = Lookups(held=False, repetition=Repetition(seconds=5.0, times=3))
    made.answers[1] = FAILED
    assert made.lookups.settled(1)
    for times in (1, 2, 3):
        assert len(made.asked) == times
        assert made.lookups.final(1) == (times == 3)
        made.pass_time(4.9)
        assert len(made.asked) == times
        made.pass_time(0.2)
    made.pass_time(10_000)
    assert len(made.asked) == 3
    assert made.lookups.answer(1) is None


def test_an_answer_after_a_failure_is_new() -> None:
    made = Lookups(held=False)
    made.answers[1] = FAILED
    made.lookups.answer(1)
    version = made.lookups.version
    made.answers.clear()
    made.pass_time(60)
    assert (made.lookups.answer(1), made.lookups.version) == ("1", version + 1)


def test_an_answer_that_is_not_complete_is_looked_up_again() -> None:
    made = Lookups(held=False, repetition=Repetition(5.0, 3, complete=lambda answer: answer == "whole"))
    made.answers[1] = "part"
    assert made.lookups.answer(1) == "part"
    assert not made.lookups.final(1)
    version = made.lookups.version
    made.pass_time(5)
    assert (made.asked, made.lookups.version) == ([1, 1], version), "nothing new"
    made.answers[1] = "whole"
    made.pass_time(5)
    assert (made.lookups.answer(1), made.lookups.final(1), made.lookups.version) == (
        "whole",
        True,
        version + 1,
    )


def test_a_failure_does_not_take_away_what_is_known() -> None:
    made = Lookups(held=False, repetition=Repetition(max_age_seconds=30.0))
    made.lookups.answer(1)
    version = made.lookups.version
    made.answers[1] = FAILED
    made.pass_time(30)
    assert (made.asked, made.lookups.answer(1), made.lookups.version) == ([1, 1], "1", version)


def test_an_answer_of_some_age_is_looked_up_again() -> None:
    made = Lookups(held=False, repetition=Repetition(max_age_seconds=30.0))
    made.lookups.answer(1)
    made.answers[1] = "other"
    made.pass_time(29)
    assert made.lookups.answer(1) == "1"
    made.pass_time(1)
    assert made.lookups.answer(1) == "other"


def test_an_error_of_the_program_is_a_failure_and_in_the_log(caplog: pytest.LogCaptureFixture) -> None:
    made = Lookups(held=False)
    made.answers[1] = ZeroDivisionError("a bug")
    assert made.lookups.settled(1)
    assert "looking up numbers failed" in caplog.text
    assert "a bug" in caplog.text


def test_a_lookup_that_hung_is_not_repeated_for_a_minute_then_for_two() -> None:
    made = Lookups(held=False)
    made.answers[1] = HUNG
    assert made.lookups.settled(1)
    assert not made.lookups.final(1)
    for times, seconds in ((1, 60), (2, 120), (3, 240)):
        made.pass_time(seconds - 1)
        assert len(made.asked) == times
        made.pass_time(1)
    assert (len(made.asked), made.lookups.hung) == (4, 4)
    for _ in range(20):
        made.pass_time(3600)
    assert len(made.asked) == 4 + 20, "once an hour at the least"
    made.answers.clear()
    made.pass_time(3600)
    assert made.lookups.answer(1) == "1"
    assert made.lookups.final(1)


def test_where_a_lookup_hung_no_other_of_its_origin_is_made_for_a_minute() -> None:
    made = Lookups(held=False)
    made.answers[1] = HUNG
    made.lookups.answer(1)
    assert made.lookups.settled(2), "of the same origin, so there is nothing to wait for"
    assert made.lookups.answer(2) is None
    assert made.lookups.answer(11) == "11"
    assert made.asked == [1, 11]
    made.answers.clear()
    made.pass_time(PAUSE_SECONDS)
    assert (made.lookups.answer(1), made.lookups.answer(2)) == ("1", "2")


def test_what_hangs_is_in_the_log_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = Lookups(held=False)
    for key in (1, 11, 21):
        made.answers[key] = HUNG
        made.lookups.answer(key)
    assert made.lookups.hung == 3
    (record,) = caplog.records
    assert record.getMessage().startswith("looking up numbers hangs; what needs it is published without it")
    assert record.__dict__["fields"] == {"key": "1"}


def test_what_is_not_retained_is_forgotten_and_its_lookup_not_made() -> None:
    made = Lookups()
    for key in (1, 2, 3):
        made.lookups.answer(key)
    made.lookups.retain({2})
    for _ in range(3):
        made.runner.run_one()
    assert made.asked == [2]
    assert made.lookups.answer(2) == "2"
    assert made.lookups.answer(1) is None
    assert len(made.runner.kept) == 1


def test_there_are_no_more_answers_than_allowed() -> None:
    made = Lookups(held=False, most=3)
    for key in (1, 11, 21, 31):
        made.lookups.answer(key)
    made.lookups.answer(31)
    assert made.asked == [1, 11, 21, 31]
    made.lookups.answer(1)
    assert made.asked == [1, 11, 21, 31, 1], "the first was forgotten"


def test_with_threads_a_lookup_that_hangs_is_noted_and_its_answer_still_comes() -> None:
    """While it hangs it is not made a second time, which would take a thread more."""
    go_on = threading.Event()
    now, asked = [100.0], []

    def look_up(key: int) -> str:
        asked.append(key)
        if key == 1:
            go_on.wait()
        return str(key)

    threads = LookupThreads(hanging_seconds=0.2)
    lookups = BackgroundLookups(look_up, threads, "numbers", clock=lambda: now[0])

    def answers() -> tuple[str | None, str | None, int]:
        lookups.poll()
        return lookups.answer(1), lookups.answer(2), lookups.hung

    try:
        until(answers, equals((None, "2", 1)))
        assert lookups.settled(1)
        for key in range(3, 8):
            now[0] += 10 * PAUSE_SECONDS
            lookups.poll()
            # Lookups are made in their order, so that of the first key would have been made before.
            until(lambda key=key: lookups.answer(key), equals(str(key)))  # type: ignore[misc]
        assert asked == list(range(1, 8))
    finally:
        go_on.set()
    until(answers, equals(("1", "2", 1)))
    until(lambda: lookups.final(1), bool)


class Batches:
    """Lookups of numbers by batches; those of one origin are less than ten apart."""

    def __init__(self, size: int) -> None:
        self.now = 100.0
        self.runner = InlineLookups(held=True)
        self.asked: list[list[int]] = []
        self.answer: Callable[[Sequence[int]], Sequence[str | KernelError]] = lambda keys: list(
            map(str, keys)
        )
        self.lookups = BackgroundLookups[int, str](
            BatchLookup(self._look_up, size),
            self.runner,
            "numbers",
            origin=lambda key: key // 10,
            clock=lambda: self.now,
        )

    def _look_up(self, keys: Sequence[int]) -> Sequence[str | KernelError]:
        self.asked.append(list(keys))
        return self.answer(keys)

    def ask(self, *keys: int) -> None:
        for key in keys:
            self.lookups.answer(key)

    def run_all(self) -> None:
        while self.runner.kept:
            self.runner.run_one()

    def answers(self, *keys: int) -> list[str | None]:
        return [self.lookups.answer(key) for key in keys]


def test_what_is_asked_for_meanwhile_is_looked_up_together() -> None:
    made = Batches(4)
    made.ask(*range(6))
    assert len(made.runner.kept) == 1, "so that other lookups are not kept waiting"
    made.run_all()
    assert made.asked == [[0, 1, 2, 3], [4, 5]]
    assert made.answers(*range(6)) == ["0", "1", "2", "3", "4", "5"]


def test_in_a_batch_those_of_one_origin_follow_one_another() -> None:
    made = Batches(10)
    made.ask(1, 11, 2, 12, 3)
    made.run_all()
    assert made.asked == [[1, 2, 3, 11, 12]]


def test_what_was_not_answered_is_next() -> None:
    made = Batches(3)
    made.answer = lambda keys: [str(keys[0])]
    made.ask(1, 2, 3)
    made.run_all()
    assert made.asked == [[1, 2, 3], [2, 3], [3]]
    assert made.answers(1, 2, 3) == ["1", "2", "3"]


def test_one_that_fails_takes_no_answer_from_others() -> None:
    made = Batches(3)
    made.answer = lambda keys: [FAILED if key == 2 else str(key) for key in keys]
    made.ask(1, 2, 3)
    made.run_all()
    assert made.answers(1, 2, 3) == ["1", None, "3"]
    assert made.lookups.settled(2)
    assert made.lookups.hung == 0


def test_an_error_of_the_program_is_a_failure_of_the_batch(caplog: pytest.LogCaptureFixture) -> None:
    made = Batches(2)

    def fail(keys: Sequence[int]) -> Sequence[str]:
        raise ZeroDivisionError(keys)

    made.answer = fail
    made.ask(1, 2)
    made.run_all()
    assert made.answers(1, 2) == [None, None]
    assert "looking up numbers failed" in caplog.text


def test_a_batch_that_hangs_counts_once_for_each_origin_and_the_rest_goes_on() -> None:
    made = Batches(10)
    made.answer = lambda keys: ["1", HUNG, HUNG] if keys[0] == 1 else list(map(str, keys))
    made.ask(1, 11, 12, 21)
    made.run_all()
    assert made.asked == [[1, 11, 12, 21], [21]]
    assert made.answers(1, 11, 12, 21) == ["1", None, None, "21"]
    assert made.lookups.hung == 1
    made.ask(13)
    made.run_all()
    assert made.lookups.settled(13), "nothing of that origin is looked up for a minute"
    assert len(made.asked) == 2


def test_what_hung_before_is_looked_up_alone_until_it_has_ended() -> None:
    """One file of a process may hang, and the others not."""
    made = Batches(10)
    made.answer = lambda keys: [HUNG for _ in keys]
    made.ask(1, 2, 3)
    made.run_all()
    made.answer = lambda keys: [HUNG if 3 in keys and key < 10 else str(key) for key in keys]
    made.now += PAUSE_SECONDS
    made.lookups.poll()
    made.ask(11)
    made.run_all()
    assert made.asked[1:3] == [[1], [2, 3, 11]], "the first tells that the origin answers"
    assert made.answers(1, 2, 3, 11) == ["1", None, None, "11"]


def test_a_thread_that_is_stuck_keeps_the_rest_of_its_batch_from_nobody() -> None:
    go_on = threading.Event()
    asked: list[list[int]] = []

    def look_up(keys: Sequence[int]) -> Sequence[str]:
        asked.append(list(keys))
        if 1 in keys:
            go_on.wait()
        return [str(key) for key in keys]

    threads = LookupThreads(hanging_seconds=0.2)
    occupied = threading.Event()

    def occupy() -> None:
        occupied.wait()

    threads.add(Lookup(occupy, lambda: None))
    lookups = BackgroundLookups(BatchLookup(look_up, 3), threads, "numbers")

    def answers() -> tuple[list[str | None], int]:
        lookups.poll()
        return [lookups.answer(key) for key in (1, 2, 3)], lookups.hung

    try:
        assert answers() == ([None, None, None], 0)
        occupied.set()
        until(answers, equals(([None, "2", "3"], 1)))
        assert asked == [[1, 2, 3], [2, 3]]
    finally:
        go_on.set()
    until(answers, equals((["1", "2", "3"], 1)))
