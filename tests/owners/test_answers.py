"""What is kept of keys that nobody asks for any more."""

from __future__ import annotations

import weakref

import pytest

from exporter.owners.answers import Answers, Repetition


class Key:
    """A key of which a test sees whether anything still holds it."""


@pytest.mark.parametrize(("retained", "max_entries"), [(True, 1000), (False, 1)])
def test_keys_that_are_forgotten_take_no_memory(*, retained: bool, max_entries: int) -> None:
    """Though each was to be looked up again much later."""
    answers = Answers[Key, str](Repetition(max_age_seconds=3600.0), max_entries)
    made = []
    for now in range(100):
        key = Key()
        made.append(weakref.ref(key))
        answers.add(key, float(now))
        answers.keep(key, "answer", float(now))
        if retained:
            answers.retain({key})
        answers.due(float(now) + 0.6)
    assert len([each for each in made if each() is not None]) <= 5


def test_keys_that_are_kept_are_looked_up_again_whatever_others_were_forgotten() -> None:
    answers = Answers[str, str](Repetition(max_age_seconds=3600.0), 1000)
    for now in range(100):
        for key in ("kept", f"short-lived {now}"):
            if now == 0 or key != "kept":
                answers.add(key, float(now))
                answers.keep(key, "answer", float(now))
        answers.retain({"kept"})
    assert answers.due(3599.9) == []
    assert answers.due(3600.0) == ["kept"]
