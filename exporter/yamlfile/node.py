"""A place in the file: its YAML node, its key path, and where errors about it are collected."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from exporter.yamlfile.document import RejectedNode
from exporter.yamlfile.errors import Diagnostics, printable
from exporter.yamlfile.misplaced import EnclosingMapping, KeyPlaces, unknown_key
from exporter.yamlfile.scalar import Scalar, ScalarType, WrongValueError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class ConfigNode:
    """One value of the file. Errors in it are added to `diagnostics`; no method raises.

    `enclosing` are the mappings around it, the innermost first. `allowed` in the methods says what to write
    here, from the word "write" on, for the message.
    """

    node: Node
    path: str
    diagnostics: Diagnostics
    enclosing: tuple[EnclosingMapping, ...] = ()

    @property
    def line(self) -> int:
        """The line it begins in, from 1."""
        return self.node.start_mark.line + 1

    @property
    def is_mapping(self) -> bool:
        """Whether it is a mapping."""
        return isinstance(self.node, MappingNode)

    @property
    def text(self) -> str | None:
        """The text of a scalar; None where it is none, or nothing."""
        if not isinstance(self.node, ScalarNode) or isinstance(self.node, RejectedNode):
            return None
        return None if Scalar.of(self.node).type is ScalarType.NULL else self.node.value

    @property
    def place(self) -> str:
        """File, line, column and key path, as an error about this value begins."""
        mark = self.node.start_mark
        return f"{self.diagnostics.file_name}:{mark.line + 1}:{mark.column + 1}: {self.path}"

    @property
    def is_rejected(self) -> bool:
        """Whether it is an alias or has a tag, which is an error whatever belongs here."""
        return isinstance(self.node, RejectedNode)

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

    def mapping(self, keys: KeyPlaces, allowed: str) -> dict[str, ConfigNode]:
        """Return the values of a mapping by key; an error is added for each key that is not its own.

        What is no mapping gives an empty result, with an error added.
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
                key_node.add_error(f"a key must be one of {either(keys.names)}")
            elif name in first_lines:
                key_node.add_error(
                    f"written twice, the first time in line {first_lines[name]}; keep one of the two"
                )
            elif name not in keys.names:
                key_node.add_error(unknown_key(name, keys, self.enclosing))
            else:
                around = EnclosingMapping(
                    self.path, keys, name, key.start_mark.column + 1, in_braces=bool(self.node.flow_style)
                )
                enclosing = (around, *self.enclosing)
                known[name] = ConfigNode(value, key_node.path, self.diagnostics, enclosing)
            first_lines.setdefault(name, key_node.line)
        return known

    def entries(self, allowed: str) -> dict[str, ConfigNode]:
        """Return the values of a mapping whose keys are any text, by key.

        What is no mapping gives an empty result, with an error added.
        """
        if not isinstance(self.node, MappingNode):
            self._add_wrong_kind(allowed)
            return {}
        found: dict[str, ConfigNode] = {}
        for key, value in self.node.value:
            key_node = ConfigNode(key, self._key_path(key), self.diagnostics)
            if not isinstance(key, ScalarNode) or isinstance(key, RejectedNode):
                key_node._add_wrong_kind(allowed)
            elif key.value in found:
                first = found[key.value].node.start_mark.line + 1
                key_node.add_error(f"written twice, the first time in line {first}; keep one of the two")
            else:
                found[key.value] = ConfigNode(value, key_node.path, self.diagnostics)
        return found

    def items(self, allowed: str) -> list[ConfigNode]:
        """Return the items of a list; what is no list gives none, with an error added."""
        if not isinstance(self.node, SequenceNode):
            self._add_wrong_kind(allowed, "is not a list")
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
            ConfigNode(item, f"{self.path}[{index}]", self.diagnostics, self.enclosing)
            for index, item in enumerate(node.value)
        ]

    def _key_path(self, key: Node) -> str:
        is_name = isinstance(key, ScalarNode) and not isinstance(key, RejectedNode)
        name = printable(key.value) if is_name else ""
        return ".".join(part for part in (self.path, name) if part)

    def _add_wrong_kind(self, allowed: str, wrong: str = "does not belong here") -> None:
        if isinstance(self.node, RejectedNode):
            self.add_error(self.node.value)
            return
        self.add_error(f"{_description(self.node, wrong)}; {allowed}")


def either(words: Sequence[str]) -> str:
    """Return the words as in "a, b or c"."""
    return ", ".join(words[:-1]) + (" or " if len(words) > 1 else "") + words[-1]


def _description(node: Node, wrong: str) -> str:
    if isinstance(node, MappingNode):
        return f"a mapping {wrong}"
    if not isinstance(node, ScalarNode):
        return f"a list {wrong}"
    if Scalar.of(node).type is ScalarType.NULL:
        return "nothing is written here"
    return f"{Scalar.of(node).display} {wrong}"
