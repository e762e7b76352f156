"""The types of numbers: durations, percentages and whole numbers, each in a range.

What is read is published as well, so it is computed in decimal: 0.7% is 0.007, where 0.7 / 100 is less.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import Decimal, Overflow

from exporter.durations import UNIT_MILLISECONDS
from exporter.yamlfile.scalar import Scalar, ScalarType, WrongValueError
from exporter.yamlfile.values import Format, ScalarValue, expect_no_quotes

NUMBER = r"(?:0|[1-9][0-9]*)"

_DECIMAL = rf"{NUMBER}(?:\.[0-9]+)?"
_DURATION = re.compile(rf"({_DECIMAL})({'|'.join(UNIT_MILLISECONDS)})")
_PERCENTAGE = re.compile(rf"({_DECIMAL})%")
_WHOLE_NUMBER = re.compile(NUMBER)


@dataclass(frozen=True, slots=True)
class Duration(ScalarValue[float]):
    """A number with a unit (`50ms`, `1.5s`, `5m`, `1h`), read as seconds; a number alone is an error.

    `low` and `high` are the shortest and the longest duration. `low_name` stands for `low` in texts where
    another key raises it.
    """

    low: str
    high: str
    example: str
    low_name: str = ""

    @property
    def format(self) -> Format:
        """Range and example; the schema has no range."""
        values = f"{self.low_name or self.low} to {self.high}"
        schema = {"type": "string", "pattern": f"^{_DURATION.pattern}$"}
        return Format("duration", values, f"write a duration from {values}, such as {self.example}", schema)

    def parse(self, scalar: Scalar) -> float:
        """Return seconds; raises WrongValueError."""
        if not _DURATION.fullmatch(scalar.text):
            raise _not_a("duration", scalar, missing="unit")
        return _within(scalar, _seconds(scalar.text), _seconds(self.low), _seconds(self.high))


@dataclass(frozen=True, slots=True)
class Percentage(ScalarValue[float]):
    """A percentage of `whole` (`2%`, `0.5%`), read as a ratio, of which 1.0 is all of it.

    It is at most `high` per cent, and not zero unless `zero` is true.
    """

    whole: str
    high: float
    example: str
    zero: bool = True

    @property
    def format(self) -> Format:
        """Range and example; the schema has no range."""
        noun = f"percentage of {self.whole}"
        values = f"0% to {self.high:g}%" if self.zero else f"over 0% and up to {self.high:g}%"
        allowed = f"write a {noun} {'from ' if self.zero else ''}{values}, such as {self.example}"
        return Format(noun, values, allowed, {"type": "string", "pattern": f"^{_PERCENTAGE.pattern}$"})

    def parse(self, scalar: Scalar) -> float:
        """Return the ratio; raises WrongValueError."""
        found = _PERCENTAGE.fullmatch(scalar.text)
        if found is None:
            raise _not_a("percentage", scalar, missing="%")
        low = 0.0 if self.zero else math.ulp(0.0)
        return _within(scalar, _scaled(found[1], 1, 100), low, self.high / 100)


@dataclass(frozen=True, slots=True)
class WholeNumber(ScalarValue[int]):
    """A whole number in decimal digits, without sign, leading zeros or underscores."""

    low: int
    high: int
    example: str
    noun: str = "whole number"

    @property
    def format(self) -> Format:
        """Range and example."""
        values = f"{self.low} to {self.high}"
        schema = {"type": "integer", "minimum": self.low, "maximum": self.high}
        return Format(self.noun, values, f"write a {self.noun} from {values}, such as {self.example}", schema)

    def parse(self, scalar: Scalar) -> int:
        """Return the number; raises WrongValueError."""
        expect_no_quotes(scalar, ScalarType.NUMBER)
        if not _WHOLE_NUMBER.fullmatch(scalar.text):
            raise _not_a(self.noun, scalar)
        return int(_within(scalar, float(scalar.text), self.low, self.high))


def _seconds(duration: str) -> float:
    found = _DURATION.fullmatch(duration)
    if found is None:
        raise ValueError(duration)
    return _scaled(found[1], UNIT_MILLISECONDS[found[2]], 1000)


def _scaled(number: str, factor: int, divisor: int) -> float:
    """Multiply and divide in decimal; infinite where a file has a number of a million digits."""
    try:
        return float(Decimal(number) * factor / divisor)
    except Overflow:
        return math.inf


def _not_a(noun: str, scalar: Scalar, missing: str = "") -> WrongValueError:
    text = scalar.text
    if re.match(r"-\.?[0-9i]", text):
        return WrongValueError(f"{scalar.display} is negative")
    if missing and re.fullmatch(_DECIMAL, text):
        return WrongValueError(f"{scalar.display} has no {missing}")
    return WrongValueError(f"{scalar.display} is not a {noun}{_hint(text)}")


def _hint(text: str) -> str:
    if "_" in text or text.startswith("+"):
        return " (no + and no _)"
    return " (no zero in front)" if re.match("0[0-9]", text) else ""


def _within(scalar: Scalar, value: float, low: float, high: float) -> float:
    if value < low:
        raise WrongValueError(f"{scalar.display} is too little")
    if value > high:
        raise WrongValueError(f"{scalar.display} is too much")
    return value
