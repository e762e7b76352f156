"""How often one cause is logged."""

from __future__ import annotations

import logging
from itertools import count

from exporter.cli.log_limit import LogLimit


class Clock:
    """A monotonic clock that a test sets."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


def record(message: str, *args: object, level: int = logging.WARNING) -> logging.LogRecord:
    return logging.LogRecord("exporter", level, "a.py", 1, message, args, None)


def allowed(limit: LogLimit, message: str, times: int) -> int:
    return sum(limit.allows(record(message, number)) for number in range(times))


def test_a_cause_has_a_burst_and_then_one_line_each_ten_seconds() -> None:
    clock = Clock()
    limit = LogLimit(clock)
    assert allowed(limit, "failed: %s", 500) == 120
    clock.now += 9
    assert allowed(limit, "failed: %s", 10) == 0
    clock.now += 31
    assert allowed(limit, "failed: %s", 10) == 4
    assert limit.left_out == 380 + 10 + 6


def test_other_causes_are_not_touched() -> None:
    limit = LogLimit(Clock())
    allowed(limit, "failed: %s", 500)
    assert allowed(limit, "ended: %s", 1) == 1


def test_the_next_line_says_how_many_were_left_out() -> None:
    clock = Clock()
    limit = LogLimit(clock)
    allowed(limit, "failed: %s", 123)
    clock.now += 20
    told, quiet = record("failed: %s", 1), record("failed: %s", 2)
    told.__dict__["fields"] = {"source": "inet"}
    assert limit.allows(told)
    assert limit.allows(quiet)
    assert told.__dict__["fields"] == {"source": "inet", "left_out": 3}
    assert "fields" not in quiet.__dict__


def test_what_is_asked_for_by_the_level_debug_is_not_limited() -> None:
    limit = LogLimit(Clock())
    assert all(limit.allows(record("step", level=logging.DEBUG)) for _ in range(500))


def test_causes_that_are_made_up_are_not_kept_for_ever() -> None:
    """As where a library puts its arguments into the message itself."""
    clock = Clock()
    limit = LogLimit(clock)
    messages = (f"message {number}" for number in count())
    assert all(limit.allows(record(next(messages))) for _ in range(5000))
    assert limit.left_out == 0
