"""The values of flags: text in, values out. Each function raises ArgumentTypeError, with what is wrong."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass

from exporter import durations

_MIN_SECONDS = 0.01
_MAX_LISTED = 100
_MAX_SECONDS = 24 * 3600.0
_MIN_HEADER_BYTES = 1024
_MAX_HEADER_BYTES = 1024 * 1024
_MODE = re.compile(r"0?[0-7]{3}", re.ASCII)


def text(given: str) -> str:
    """Return any text but an empty one. Raises ArgumentTypeError."""
    if not given:
        message = "needs a value, and got an empty one"
        raise argparse.ArgumentTypeError(message)
    return given


@dataclass(frozen=True, slots=True)
class OneOf:
    """Accepts these words, and raises ArgumentTypeError for others."""

    allowed: tuple[str, ...]

    def __call__(self, given: str) -> str:
        """Return the word as it is. Raises ArgumentTypeError."""
        if given not in self.allowed:
            message = f"{given!r} is none of {', '.join(self.allowed)}"
            raise argparse.ArgumentTypeError(message)
        return given


@dataclass(frozen=True, slots=True)
class SomeOf:
    """Accepts some of these words, separated by commas, and raises ArgumentTypeError for others."""

    allowed: tuple[str, ...]

    def __call__(self, given: str) -> tuple[str, ...]:
        """Return the words. Raises ArgumentTypeError."""
        return tuple(map(OneOf(self.allowed), given.split(",")))


def count(given: str) -> int:
    """Return a whole number from 0 up. Raises ArgumentTypeError."""
    # int() accepts "1_0", " 1" and the digits of every script.
    if not (given.isascii() and given.isdigit() and len(given) <= len("999999999")):
        message = f"{given!r} is no whole number from 0 up"
        raise argparse.ArgumentTypeError(message)
    return int(given)


def positive_count(given: str) -> int:
    """Return a whole number from 1 up."""
    if count(given) == 0:
        message = f"{given!r} is too few; at least 1"
        raise argparse.ArgumentTypeError(message)
    return count(given)


def listed(given: str) -> int:
    """Return how many entries a list is to have."""
    number = count(given)
    if not 1 <= number <= _MAX_LISTED:
        message = f"{given!r} is not from 1 to {_MAX_LISTED}"
        raise argparse.ArgumentTypeError(message)
    return number


def header_bytes(given: str) -> int:
    """Return a number of bytes that a request of a scrape fits into."""
    number = count(given)
    if not _MIN_HEADER_BYTES <= number <= _MAX_HEADER_BYTES:
        message = f"{given!r} is not from {_MIN_HEADER_BYTES} to {_MAX_HEADER_BYTES} bytes"
        raise argparse.ArgumentTypeError(message)
    return number


def duration(given: str) -> float:
    """Return the seconds of a duration like 500ms, 10s, 1m or 1h."""
    seconds = durations.seconds(given)
    if seconds is None or not _MIN_SECONDS <= seconds <= _MAX_SECONDS:
        message = f"{given!r} is no duration from 10ms to 24h, such as 10s"
        raise argparse.ArgumentTypeError(message)
    return seconds


def look_back(given: str) -> str:
    """Return a text that says how far back, as the exporter takes it: 30s, 10m or 24h."""
    if not durations.seconds(given):
        message = f"{given!r} is no duration above 0, such as 30s, 10m or 24h"
        raise argparse.ArgumentTypeError(message)
    return given


def mode(given: str) -> int:
    """Return the permissions of a file, from three octal digits."""
    if not _MODE.fullmatch(given):
        message = f"{given!r} is no mode of three octal digits, such as 0660"
        raise argparse.ArgumentTypeError(message)
    return int(given, 8)
