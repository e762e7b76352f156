"""What one value of the file may be, judged by the text as it was typed.

YAML reads `010` as 8, `1_000` as 1000, `80:90` as 4890 and `no` as false. None of that happens here: a
number is digits, a boolean is true or false, and what YAML would not read as text needs quotes to be text.
"""

from __future__ import annotations

import difflib
import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol, TypeVar

from yaml.nodes import ScalarNode

from exporter.config.errors import shown

T_co = TypeVar("T_co", covariant=True)

NUMBER = r"(?:0|[1-9][0-9]*)"
DECIMAL = rf"{NUMBER}(?:\.[0-9]+)?"

_MILLISECONDS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}
_DURATION = re.compile(rf"({DECIMAL})({'|'.join(_MILLISECONDS)})")
_PERCENTAGE = re.compile(rf"({DECIMAL})%")
_WHOLE = re.compile(NUMBER)


class WrongValueError(Exception):
    """Says what is wrong with a value. `instead` is what to write, where that is plain.

    Otherwise the message goes on with what the kind allows.
    """

    def __init__(self, wrong: str, instead: str | None = None) -> None:
        super().__init__(wrong)
        self.instead = instead


class ScalarType(enum.StrEnum):
    """What YAML 1.1 takes a scalar for."""

    TEXT = "text"
    NUMBER = "a number"
    BOOLEAN = "a boolean"
    NULL = "nothing"
    DATE = "a date"


_TYPES = {
    "int": ScalarType.NUMBER,
    "float": ScalarType.NUMBER,
    "bool": ScalarType.BOOLEAN,
    "null": ScalarType.NULL,
    "timestamp": ScalarType.DATE,
}


@dataclass(frozen=True, slots=True)
class Scalar:
    """A value that is neither list nor mapping, as it was typed, and what YAML takes it for."""

    text: str
    type: ScalarType
    quoted: bool

    @classmethod
    def of(cls, node: ScalarNode) -> Scalar:
        """Return the scalar of a scalar node. A block text (`|`, `>`) counts as quoted."""
        type_ = _TYPES.get(node.tag.rpartition(":")[2], ScalarType.TEXT)
        return cls(node.value, type_, quoted=node.style is not None)

    @property
    def shown(self) -> str:
        """The value as the user would know it again."""
        text = shown(self.text)
        return f'"{text}"' if self.quoted or not text or " " in text else text


class Kind(Protocol[T_co]):
    """How one kind of value is read. `allowed` tells the user what to write."""

    @property
    def allowed(self) -> str:
        """What to write, from the word "write" on."""

    def read(self, scalar: Scalar) -> T_co:
        """Return the value; raises WrongValueError."""


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds, from a number and a unit: `50ms`, `1.5s`, `5m`, `1h`. A number alone is no duration."""

    low_seconds: float
    high_seconds: float
    allowed: str

    def read(self, scalar: Scalar) -> float:
        """Return seconds; raises WrongValueError."""
        found = _DURATION.fullmatch(scalar.text)
        if found is None:
            raise _no_measure(scalar, "duration", "unit")
        seconds = float(found[1]) * _MILLISECONDS[found[2]] / 1000
        return _within(scalar, seconds, self.low_seconds, self.high_seconds)


@dataclass(frozen=True, slots=True)
class Percentage:
    """A ratio (1.0 is all), from a percentage: `2%`, `0.5%`."""

    low_ratio: float
    high_ratio: float
    allowed: str

    def read(self, scalar: Scalar) -> float:
        """Return the ratio; raises WrongValueError."""
        found = _PERCENTAGE.fullmatch(scalar.text)
        if found is None:
            raise _no_measure(scalar, "percentage", "%")
        return _within(scalar, float(found[1]) / 100, self.low_ratio, self.high_ratio)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole number, in decimal digits and nothing else."""

    low: int
    high: int
    allowed: str
    noun: str = "whole number"

    def read(self, scalar: Scalar) -> int:
        """Return the number; raises WrongValueError."""
        _unquoted(scalar, ScalarType.NUMBER)
        if not _WHOLE.fullmatch(scalar.text):
            raise _no_measure(scalar, self.noun, "")
        return int(_within(scalar, float(scalar.text), self.low, self.high))


@dataclass(frozen=True, slots=True)
class Flag:
    """True or false, and no other of the words YAML has for them."""

    allowed: str = "write true or false"

    def read(self, scalar: Scalar) -> bool:
        """Return the boolean; raises WrongValueError."""
        _unquoted(scalar, ScalarType.BOOLEAN)
        if scalar.text not in ("true", "false"):
            raise WrongValueError(f"{scalar.shown} is neither true nor false")
        return scalar.text == "true"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]

    @property
    def allowed(self) -> str:
        """The words, for the user."""
        return f"write one of {', '.join(self.words)}"

    def read(self, scalar: Scalar) -> str:
        """Return the word; raises WrongValueError."""
        if scalar.text in self.words:
            return scalar.text
        meant = closest(scalar.text, self.words)
        raise WrongValueError(f"{scalar.shown} is not known{f' (did you mean {meant}?)' if meant else ''}")


@dataclass(frozen=True, slots=True)
class Text:
    """Printable text that is not empty; quoted where YAML would take it for something else."""

    allowed: str

    def read(self, scalar: Scalar) -> str:
        """Return the text; raises WrongValueError."""
        if scalar.type is not ScalarType.TEXT:
            raise WrongValueError(
                f"{scalar.shown} without quotes is {scalar.type} in YAML",
                f'write "{shown(scalar.text)}" in quotes for the text',
            )
        if not scalar.text.strip():
            raise WrongValueError("the text is empty")
        if not scalar.text.isprintable():
            raise WrongValueError(f"{scalar.shown} holds a character that cannot be printed")
        return scalar.text


def closest(text: str, words: Iterable[str]) -> str | None:
    """Return the word that was probably meant, if any is near."""
    near = difflib.get_close_matches(text[:60].lower(), list(words), n=1)
    return near[0] if near else None


def _no_measure(scalar: Scalar, noun: str, missing: str) -> WrongValueError:
    text = scalar.text
    if re.match(r"-\.?[0-9i]", text):
        return WrongValueError(f"{scalar.shown} is negative")
    if missing and re.fullmatch(DECIMAL, text):
        return WrongValueError(f"{scalar.shown} has no {missing}")
    return WrongValueError(f"{scalar.shown} is not a {noun}{_spelling(text)}")


def _spelling(text: str) -> str:
    if "_" in text or text.startswith("+"):
        return " (no + and no _)"
    return " (no zero in front)" if re.match("0[0-9]", text) else ""


def _unquoted(scalar: Scalar, type_: ScalarType) -> None:
    if scalar.quoted:
        raise WrongValueError(f"{scalar.shown} is text because of its quotes, not {type_}")


def _within(scalar: Scalar, value: float, low: float, high: float) -> float:
    if value < low:
        raise WrongValueError(f"{scalar.shown} is too little")
    if value > high:
        raise WrongValueError(f"{scalar.shown} is too much")
    return value
