"""The types of lists."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from exporter.yamlfile.node import ConfigNode
from exporter.yamlfile.values import Choice, Format, JsonSchema, ValueType

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class OneOrMore(Generic[T]):
    """A list of `item` that is not empty, or one such value without brackets."""

    item: ValueType[T]

    @property
    def format(self) -> Format:
        """As `item`."""
        return _list_or_one(self.item.format, {"minItems": 1})

    def read(self, node: ConfigNode) -> tuple[T, ...] | None:
        """Return the values, or None with errors added where the list is empty or one value is wrong."""
        return _read_all(node.one_or_more(self.item.format.allowed), self.item) or None


@dataclass(frozen=True, slots=True)
class AnyNumber(Generic[T]):
    """A list of `item` that may be empty, or one such value without brackets."""

    item: ValueType[T]

    @property
    def format(self) -> Format:
        """As `item`, or an empty list."""
        return _list_or_one(self.item.format, {})

    def read(self, node: ConfigNode) -> tuple[T, ...] | None:
        """Return the values, or None with errors added where one is wrong."""
        return _read_all(node.any_number(), self.item)


@dataclass(frozen=True, slots=True)
class Subset:
    """A list of some of `words`, each at most once, in any order."""

    words: tuple[str, ...]
    example: str

    @property
    def format(self) -> Format:
        """The words, and an example."""
        words = ", ".join(self.words)
        allowed = f"write a list of {words}, such as {self.example}; [] for none"
        schema: JsonSchema = {"type": "array", "items": Choice(self.words).format.schema, "uniqueItems": True}
        return Format("list", f"any of {words}; [] for none", allowed, schema)

    def read(self, node: ConfigNode) -> tuple[str, ...] | None:
        """Return the words in the order of the list; a wrong one is left out, with an error added."""
        words: list[str] = []
        for item in node.items(self._allowed(node)):
            word = Choice(self.words).read(item)
            if word in words:
                item.add_error(f"{word} is in the list already; take it out here")
            elif word is not None:
                words.append(word)
        return tuple(words)

    def _allowed(self, node: ConfigNode) -> str:
        """Return what to write; the same in brackets where the words are there and the brackets are not."""
        written = [word.strip() for word in (node.text or "").split(",")]
        return f"write [{', '.join(written)}]" if set(written) <= set(self.words) else self.format.allowed


def _list_or_one(item: Format, limits: JsonSchema) -> Format:
    schema = {"anyOf": [item.schema, {"type": "array", "items": item.schema, **limits}]}
    return Format(f"{item.noun} or list", item.values, item.allowed, schema)


def _read_all(nodes: Iterable[ConfigNode], item: ValueType[T]) -> tuple[T, ...] | None:
    values = [item.read(node) for node in nodes]
    read = tuple(value for value in values if value is not None)
    return read if len(read) == len(values) else None
