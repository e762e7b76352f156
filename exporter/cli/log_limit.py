"""Limits how often one cause may be logged, so that what happens again and again does not fill the log."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

# One reload of a file with the most errors that are reported is written in full, and so is the next one.
_BURST: Final = 120
_SECONDS_PER_LINE: Final = 10.0
# There are as many causes as calls of the logging functions; libraries may make up more.
_MAX_CAUSES: Final = 1000


@dataclass(slots=True)
class _Cause:
    """How many lines a cause may have now, as of `at` in monotonic seconds, and how many were left out."""

    allowed: float
    at: float
    left_out: int = 0


class LogLimit:
    """Lets each cause log 120 lines, and then one each ten seconds, which says how many were left out.

    A cause is a message before its arguments are put in. Lines of level debug are not limited.
    """

    def __init__(self, monotonic: Callable[[], float]) -> None:
        """`monotonic` is a clock in seconds."""
        self.left_out = 0
        self._monotonic = monotonic
        self._causes: dict[tuple[str, str], _Cause] = {}

    def allows(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is written. To be called by one thread at a time."""
        if record.levelno < logging.INFO:
            return True
        now = self._monotonic()
        cause = self._cause((record.name, str(record.msg)), now)
        cause.allowed = min(_BURST, cause.allowed + (now - cause.at) / _SECONDS_PER_LINE)
        cause.at = now
        if cause.allowed < 1:
            cause.left_out += 1
            self.left_out += 1
            return False
        cause.allowed -= 1
        if cause.left_out:
            fields = getattr(record, "fields", None) or {}
            record.fields = {**fields, "left_out": cause.left_out}
            cause.left_out = 0
        return True

    def _cause(self, name: tuple[str, str], now: float) -> _Cause:
        cause = self._causes.get(name)
        if cause is None:
            if len(self._causes) >= _MAX_CAUSES:
                self._causes.clear()
            cause = self._causes[name] = _Cause(_BURST, now)
        return cause
