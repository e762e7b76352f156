"""A place in the file: its YAML node, its key path, and where errors about it are collected."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from exporter.config.document import RejectedNode
from exporter.config.errors import Diagnostics, printable
from exporter.config.scalar import Scalar, ScalarType, WrongValueError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConfigNode:
    """One value of the file. Errors in it are added to `diagnostics`; no method raises.

    `allowed` in the methods says what to write here, from the word "write" on, for the message.
    """

    node: Node
    path: str
    diagnostics: Diagnostics

    @property
    def line(self) -> int:
        """The line it begins in, from 1."""
        return self.node.start_mark.line + 1

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping."""
        return isinstance(self.node, MappingNode)

    def add_error(self, message: str) -> None:
        """Add an error at this place."""
        self.diagnostics.add(self.node.start_mark, message, self.path)

    def scalar(self, allowed: str, parse: Callable[[Scalar], T]) -> T | None:
        """Return the scalar as `parse` reads it, or None with an error added.

        `parse` raises WrongValueError.
        """
        if not isinstance(self.node, ScalarNode) or isinstance(self.node, RejectedNode):
            self._add_wrong_kind(allowed)
            return None
        scalar = Scalar.of(self.node)
        if scalar.type is ScalarType.NULL:
            self._add_wrong_kind(allowed)
            return None
        try:
            return parse(scalar)
        except WrongValueError as error:
            self.add_error(f"{error}; {error.instead or allowed}")
            return None

    def mapping(
        self, keys: Sequence[str], allowed: str, elsewhere: Mapping[str, str]
    ) -> dict[str, ConfigNode]:
        """Return the values of a mapping by key, of those in `keys`; an error is added for each other key.

        `elsewhere` gives the path of keys that belong into another mapping. What is no mapping gives an empty
        result, with an error added.
        """
        if not isinstance(self.node, MappingNode):
            self._add_wrong_kind(allowed)
            return {}
        known: dict[str, ConfigNode] = {}
        first_lines: dict[str, int] = {}
        for key, value in self.node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            key_node = ConfigNode(key, self._key_path(key), self.diagnostics)
            if not name or isinstance(key, RejectedNode):
                key_node.add_error(f"a key must be one of {either(keys)}")
            elif name in first_lines:
                key_node.add_error(
                    f"written twice, the first time in line {first_lines[name]}; keep one of the two"
                )
            elif name not in keys:
                key_node.add_error(_unknown_key(name, keys, elsewhere))
            else:
                known[name] = ConfigNode(value, key_node.path, self.diagnostics)
            first_lines.setdefault(name, key_node.line)
        return known

    def items(self, allowed: str) -> list[ConfigNode]:
        """Return the items of a list; what is no list gives none, with an error added."""
        if not isinstance(self.node, SequenceNode):
            self._add_wrong_kind(allowed)
            return []
        return self._numbered(self.node)

    def one_or_more(self, allowed: str) -> list[ConfigNode]:
        """Return the items of a list, or this node alone where it is no list; an empty list is an error."""
        if isinstance(self.node, SequenceNode) and not self.node.value:
            self.add_error(f"an empty list matches nothing; {allowed}, or leave the key out to match any")
        return self.any_number()

    def any_number(self) -> list[ConfigNode]:
        """Return the items of a list, which may be empty, or this node alone where it is no list."""
        return self._numbered(self.node) if isinstance(self.node, SequenceNode) else [self]

    def _numbered(self, node: SequenceNode) -> list[ConfigNode]:
        return [
            ConfigNode(item, f"{self.path}[{index}]", self.diagnostics)
            for index, item in enumerate(node.value)
        ]

    def _key_path(self, key: Node) -> str:
        is_name = isinstance(key, ScalarNode) and not isinstance(key, RejectedNode)
        name = printable(key.value) if is_name else ""
        return ".".join(part for part in (self.path, name) if part)

    def _add_wrong_kind(self, allowed: str) -> None:
        if isinstance(self.node, RejectedNode):
            self.add_error(self.node.value)
            return
        self.add_error(f"{_description(self.node)}; {allowed}")


def closest(text: str, words: Iterable[str]) -> str | None:
    """Return the word that is spelled most like `text`, or None where none is similar."""
    matches = difflib.get_close_matches(text[:60].lower(), list(words), n=1)
    return matches[0] if matches else None


def either(words: Sequence[str]) -> str:
    """Return the words as in "a, b or c"."""
    return ", ".join(words[:-1]) + (" or " if len(words) > 1 else "") + words[-1]


def _unknown_key(name: str, keys: Sequence[str], elsewhere: Mapping[str, str]) -> str:
    allowed = f"allowed here are {', '.join(keys)}"
    if name == "<<":
        return f"merging another mapping in is not allowed; write its keys out ({allowed})"
    suggestion = elsewhere.get(name) or closest(name, keys)
    return f"unknown key; {f'did you mean {suggestion}? ' if suggestion else ''}{allowed}"


def _description(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "a mapping does not belong here"
    if not isinstance(node, ScalarNode):
        return "a list does not belong here"
    if Scalar.of(node).type is ScalarType.NULL:
        return "nothing is written here"
    return f"{Scalar.of(node).display} does not belong here"
