"""How a key of the configuration file is declared: as a field of a class in model.py.

A class of the model is a mapping of the file. Each of its fields carries, in its metadata, the keys that it
is read from: one (`key`, `required_key`, `optional_key`, `match_key`) or several of one type
(`match_key_group`); section.py has `section`, `section_list` and `included` for fields that are made from
classes of the model.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, Protocol, TypeVar, cast

import yaml

from exporter.yamlfile.errors import Diagnostics
from exporter.yamlfile.lists import OneOrMore
from exporter.yamlfile.node import ConfigNode
from exporter.yamlfile.values import JsonSchema, ValueType

T = TypeVar("T")

# Where dataclasses keep what a field is read from.
METADATA = "config"


@dataclass(frozen=True, slots=True)
class Key:
    """A key of the file. What is left out has the value of the YAML in `default`, or that in `inherits_from`.

    `inherits_from` names a mapping of the file with the same key. With neither, there is no value.
    """

    name: str
    type: ValueType[Any]
    description: str
    default: str | None = None
    required: bool = False
    inherits_from: str | None = None

    @property
    def help(self) -> str:
        """The description, and which values are allowed."""
        return f"{self.description} {self.type.format.sentence}".rstrip()

    def schema(self) -> JsonSchema:
        """Return the JSON Schema of the value, with a description and the default."""
        schema = {"description": self.help, **self.type.format.schema}
        if self.inherits_from:
            return without_defaults(schema)
        return schema if self.default is None else {**schema, "default": yaml.safe_load(self.default)}


class KeySource(Protocol):
    """What the value of a field is read from."""

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys, in the order of messages and documents."""

    def read(self, nodes: Mapping[str, ConfigNode]) -> Any | None:
        """Return the value of the field from the nodes of its mapping; None where all are absent or wrong."""


@dataclass(frozen=True, slots=True)
class SingleKey:
    """A field that is the value of one key."""

    key: Key

    @property
    def keys(self) -> tuple[Key, ...]:
        """The one key."""
        return (self.key,)

    def read(self, nodes: Mapping[str, ConfigNode]) -> Any | None:
        """Return the value of the key."""
        node = nodes.get(self.key.name)
        return self.key.type.read(node) if node else None


@dataclass(frozen=True, slots=True)
class KeyGroup:
    """A field that is a dict of the values of several keys, by their names."""

    keys: tuple[Key, ...]

    def read(self, nodes: Mapping[str, ConfigNode]) -> dict[str, Any]:
        """Return the values of the keys that are there and right."""
        values = {key.name: key.type.read(nodes[key.name]) for key in self.keys if key.name in nodes}
        return {name: value for name, value in values.items() if value is not None}


def key(
    name: str, type_: ValueType[T], default: str, description: str, *, inherits_from: str | None = None
) -> T:
    """Declare a field that is read from the key `name`; `default` is YAML.

    `inherits_from` names the mapping of the file that has the value where the key is left out.
    """
    declared = Key(name, type_, description, default, inherits_from=inherits_from)
    return cast("T", field(default=_parsed(declared, default), metadata={METADATA: SingleKey(declared)}))


def required_key(name: str, type_: ValueType[T], description: str) -> T:
    """Declare a field that is read from the key `name`, which may not be left out."""
    declared = Key(name, type_, description, required=True)
    return cast("T", field(metadata={METADATA: SingleKey(declared)}))


def optional_key(name: str, type_: ValueType[T], description: str) -> T | None:
    """Declare a field that is read from the key `name`; None where it is left out."""
    declared = Key(name, type_, description)
    return cast("T | None", field(default=None, metadata={METADATA: SingleKey(declared)}))


def match_key(name: str, item: ValueType[T], description: str) -> tuple[T, ...]:
    """Declare a field that is read from one or more of `item`; empty where the key is left out."""
    declared = Key(name, OneOrMore(item), description)
    return cast("tuple[T, ...]", field(default=(), metadata={METADATA: SingleKey(declared)}))


def match_key_group(items: Mapping[str, tuple[ValueType[T], str]]) -> dict[str, tuple[T, ...]]:
    """Declare a field that is a dict of match keys: what each reads one or more of, and its meaning."""
    declared = tuple(Key(name, OneOrMore(item), description) for name, (item, description) in items.items())
    metadata = {METADATA: KeyGroup(declared)}
    return cast("dict[str, tuple[T, ...]]", field(default_factory=dict, metadata=metadata))


def sources(model: type[Any]) -> Iterator[tuple[str, KeySource]]:
    """Yield the fields of a class of the model by name, each with what it is read from."""
    for declared in fields(model):
        yield declared.name, declared.metadata[METADATA]


def keys_of(model: type[Any]) -> tuple[Key, ...]:
    """Return the keys of the mapping that a class of the model stands for."""
    return tuple(key for _, source in sources(model) for key in source.keys)


def key_of(model: type[Any], name: str) -> Key:
    """Return the key called `name` of a class of the model. Raises KeyError where there is none."""
    return {key.name: key for key in keys_of(model)}[name]


def without_defaults(schema: JsonSchema) -> JsonSchema:
    """Return a schema of a mapping without the defaults of its keys."""
    keys = schema.get("properties", {})
    result = {name: value for name, value in schema.items() if name != "default"}
    return (
        {**result, "properties": {name: without_defaults(key) for name, key in keys.items()}}
        if keys
        else result
    )


def _parsed(declared: Key, default: str) -> Any:
    diagnostics = Diagnostics("default")
    node = yaml.compose(default, yaml.SafeLoader)
    value = declared.type.read(ConfigNode(node, declared.name, diagnostics)) if node else None
    diagnostics.raise_if_any()
    return value
