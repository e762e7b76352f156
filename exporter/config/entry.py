"""A place in the file: its node, its key path, and where complaints about it go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from exporter.config.document import RefusedNode
from exporter.config.errors import Faults, shown
from exporter.config.values import Kind, Scalar, ScalarType, WrongValueError, closest

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Entry:
    """One value of the file. What is wrong with it is noted in `faults`; reading never raises."""

    node: Node
    path: str
    faults: Faults

    @property
    def line(self) -> int:
        """The line it begins in, from 1."""
        return self.node.start_mark.line + 1

    @property
    def is_mapping(self) -> bool:
        """Whether keys and values stand here."""
        return isinstance(self.node, MappingNode)

    def refuse(self, what: str) -> None:
        """Note that this value is wrong."""
        self.faults.add(self.node.start_mark, what, self.path)

    def read(self, kind: Kind[T]) -> T | None:
        """Return the value as `kind` reads it, or None with the fault noted."""
        if not isinstance(self.node, ScalarNode) or isinstance(self.node, RefusedNode):
            self._misplaced(kind.allowed)
            return None
        scalar = Scalar.of(self.node)
        if scalar.type is ScalarType.NULL:
            self._misplaced(kind.allowed)
            return None
        try:
            return kind.read(scalar)
        except WrongValueError as wrong:
            self.refuse(f"{wrong}; {wrong.instead or kind.allowed}")
            return None

    def section(self, allowed: tuple[str, ...], elsewhere: Mapping[str, str] | None = None) -> Section:
        """Return the keys of a mapping, of which only `allowed` are valid.

        `elsewhere` gives the right path of keys that people are likely to write here.
        """
        if not isinstance(self.node, MappingNode):
            self._misplaced(f"write a mapping with the keys {_either(allowed)}, or leave it out")
            return Section({})
        return Section(_Keys(self, allowed, elsewhere or {}).read())

    def items(self, allowed: str) -> list[Entry]:
        """Return the entries of a list; `allowed` says what to write where it is no list."""
        if not isinstance(self.node, SequenceNode):
            self._misplaced(allowed)
            return []
        return self._numbered(self.node)

    def one_or_more(self, allowed: str) -> list[Entry]:
        """Return the entries of a list that may not be empty, or this entry alone where it is no list."""
        if isinstance(self.node, SequenceNode) and not self.node.value:
            self.refuse(f"an empty list matches nothing; {allowed}, or leave the key out to match any")
        return self.any_number()

    def any_number(self) -> list[Entry]:
        """Return the entries of a list, which may be empty, or this entry alone where it is no list."""
        return self._numbered(self.node) if isinstance(self.node, SequenceNode) else [self]

    def _numbered(self, node: SequenceNode) -> list[Entry]:
        return [Entry(item, f"{self.path}[{at}]", self.faults) for at, item in enumerate(node.value)]

    def _misplaced(self, allowed: str) -> None:
        if isinstance(self.node, RefusedNode):
            self.refuse(self.node.value)
            return
        self.refuse(f"{_found(self.node)}; {allowed}")


@dataclass(frozen=True, slots=True)
class Section:
    """The keys of one mapping in the file; empty where it was left out or wrong."""

    entries: dict[str, Entry]

    def get(self, key: str) -> Entry | None:
        """Return the entry under `key`, or None where it was left out."""
        return self.entries.get(key)

    def read(self, key: str, kind: Kind[T], default: T) -> T:
        """Return the value under `key`; `default` where it was left out, or wrong and noted."""
        entry = self.entries.get(key)
        value = entry.read(kind) if entry else None
        return default if value is None else value

    def section(self, key: str, allowed: tuple[str, ...]) -> Section:
        """Return the mapping under `key`; an empty one where it was left out."""
        entry = self.entries.get(key)
        return entry.section(allowed) if entry else Section({})


@dataclass(frozen=True, slots=True)
class _Keys:
    """Judges the keys of one mapping: known, written once, and plain names."""

    owner: Entry
    allowed: tuple[str, ...]
    elsewhere: Mapping[str, str]

    def read(self) -> dict[str, Entry]:
        known: dict[str, Entry] = {}
        first: dict[str, int] = {}
        for key, value in self.owner.node.value:
            name = key.value if isinstance(key, ScalarNode) else ""
            entry = Entry(key, self._path(key), self.owner.faults)
            if not name or isinstance(key, RefusedNode):
                entry.refuse(f"a key must be one of {_either(self.allowed)}")
            elif name in first:
                entry.refuse(f"written twice, the first time in line {first[name]}; keep one of the two")
            elif name not in self.allowed:
                entry.refuse(self._unknown(name))
            else:
                known[name] = Entry(value, entry.path, self.owner.faults)
            first.setdefault(name, entry.line)
        return known

    def _path(self, key: Node) -> str:
        name = shown(key.value) if isinstance(key, ScalarNode) and not isinstance(key, RefusedNode) else ""
        return ".".join(part for part in (self.owner.path, name) if part)

    def _unknown(self, name: str) -> str:
        allowed = f"allowed here are {', '.join(self.allowed)}"
        if name == "<<":
            return f"merging another mapping in is not allowed; write its keys out ({allowed})"
        meant = self.elsewhere.get(name) or closest(name, self.allowed)
        return f"unknown key; {f'did you mean {meant}? ' if meant else ''}{allowed}"


def _found(node: Node) -> str:
    if isinstance(node, MappingNode):
        return "a mapping does not belong here"
    if not isinstance(node, ScalarNode):
        return "a list does not belong here"
    if Scalar.of(node).type is ScalarType.NULL:
        return "nothing is written here"
    return f"{Scalar.of(node).shown} does not belong here"


def _either(words: tuple[str, ...]) -> str:
    return ", ".join(words[:-1]) + (" or " if len(words) > 1 else "") + words[-1]
