"""What the type of a value is, and the types of words and text; quantities.py has those of numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from exporter.yamlfile.errors import printable
from exporter.yamlfile.misplaced import closest
from exporter.yamlfile.node import ConfigNode
from exporter.yamlfile.scalar import Scalar, ScalarType, WrongValueError

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
Word = TypeVar("Word", bound=str)

JsonSchema = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Format:
    """How values of a type are written.

    `noun` is what a value is, such as "duration", and `values` which are allowed, such as "1ms to 60s".
    `allowed` ends an error message: what to write, from the word "write" on. `schema` is a JSON Schema
    (draft 2020-12) that accepts every valid value, and as few others as it can tell apart.
    """

    noun: str
    values: str
    allowed: str
    schema: JsonSchema

    @property
    def sentence(self) -> str:
        """Noun and values, for a comment; empty where `values` is."""
        return f"{self.noun.capitalize()}: {self.values}." if self.values else ""


class ValueType(Protocol[T_co]):
    """The type of a key's value."""

    @property
    def format(self) -> Format:
        """How values are written."""

    def read(self, node: ConfigNode) -> T_co | None:
        """Return the value at `node`, or None with an error added there."""


class ScalarValue(ABC, Generic[T]):
    """A type whose values are neither lists nor mappings."""

    __slots__ = ()

    @property
    @abstractmethod
    def format(self) -> Format:
        """How values are written."""

    @abstractmethod
    def parse(self, scalar: Scalar) -> T:
        """Return the value; raises WrongValueError."""

    def read(self, node: ConfigNode) -> T | None:
        """Return the value at `node`, or None with an error added there."""
        return node.scalar(self.format.allowed, self.parse)


@dataclass(frozen=True, slots=True)
class Boolean(ScalarValue[bool]):
    """True or false, and no other of the words that YAML 1.1 has for them."""

    @property
    def format(self) -> Format:
        """The two words."""
        return Format("boolean", "true or false", "write true or false", {"type": "boolean"})

    def parse(self, scalar: Scalar) -> bool:
        """Return the boolean; raises WrongValueError."""
        expect_no_quotes(scalar, ScalarType.BOOLEAN)
        if scalar.text not in ("true", "false"):
            raise WrongValueError(f"{scalar.display} is neither true nor false")
        return scalar.text == "true"


@dataclass(frozen=True, slots=True)
class Choice(ScalarValue[Word]):
    """One of a few words, read as the member of `words` that is equal to it."""

    words: tuple[Word, ...]

    @property
    def format(self) -> Format:
        """The words."""
        words = [str(word) for word in self.words]
        values = f"one of {', '.join(words)}"
        return Format("word", values, f"write {values}", {"enum": words})

    def parse(self, scalar: Scalar) -> Word:
        """Return the word; raises WrongValueError."""
        for word in self.words:
            if word == scalar.text:
                return word
        suggestion = closest(scalar.text, self.words)
        hint = f" (did you mean {suggestion}?)" if suggestion else ""
        raise WrongValueError(f"{scalar.display} is not known{hint}")


@dataclass(frozen=True, slots=True)
class Text(ScalarValue[str]):
    """Printable text that is not empty; quoted where YAML 1.1 gives it another type."""

    noun: str
    values: str
    example: str

    @property
    def format(self) -> Format:
        """What the text is, and an example."""
        allowed = f"write {self.values}, such as {self.example}"
        return Format(self.noun, self.values, allowed, TEXT_SCHEMA)

    def parse(self, scalar: Scalar) -> str:
        """Return the text; raises WrongValueError."""
        return parse_text(scalar)


TEXT_SCHEMA: JsonSchema = {"type": "string", "pattern": r"\S"}


def parse_text(scalar: Scalar) -> str:
    """Return printable text that is not empty; raises WrongValueError."""
    if scalar.type is not ScalarType.TEXT:
        raise WrongValueError(
            f"{scalar.display} without quotes is {scalar.type} in YAML",
            f'write "{printable(scalar.text)}" in quotes for the text',
        )
    if not scalar.text.strip():
        raise WrongValueError("the text is empty")
    if not scalar.text.isprintable():
        raise WrongValueError(f"{scalar.display} holds a character that cannot be printed")
    return scalar.text


def expect_no_quotes(scalar: Scalar, type_: ScalarType) -> None:
    """Raise WrongValueError where quotes make text of what is to be of `type_`."""
    if scalar.quoted:
        raise WrongValueError(f"{scalar.display} is text because of its quotes, not {type_}")
