"""The mappings of the file, read by the keys that the classes of the model declare."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar, cast

from exporter.yamlfile.key import METADATA, Key, SingleKey, keys_of, sources
from exporter.yamlfile.misplaced import KeyPlaces
from exporter.yamlfile.node import ConfigNode, either
from exporter.yamlfile.values import Format, JsonSchema

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Section(Generic[T]):
    """The content of one mapping of the file: some of the fields of T.

    `nodes` has the keys that are there; `values` the fields that could be read, of which those that are
    classes of the model are Sections or SectionLists. `known_keys` is false where a key is unknown or
    repeated, `valid` where anything in the mapping is wrong. `node` is None where the mapping is left out.
    """

    nodes: Mapping[str, ConfigNode] = field(default_factory=dict)
    values: Mapping[str, Any] = field(default_factory=dict)
    node: ConfigNode | None = None
    known_keys: bool = True
    valid: bool = True

    def section(self, name: str) -> Section[Any]:
        """Return what is read into the field `name`, which is a class of the model."""
        return cast("Section[Any]", self.values.get(name, Section()))

    def complete(self, base: T) -> T:
        """Return `base` with these values in place of its own; lists of sections stay as they are."""
        values = {
            name: value.complete(getattr(base, name)) if isinstance(value, Section) else value
            for name, value in self.values.items()
            if not isinstance(value, SectionList)
        }
        return cast("T", replace(cast("Any", base), **values))


@dataclass(frozen=True, slots=True)
class SectionList(Generic[T]):
    """The content of a list of mappings of the file."""

    sections: tuple[Section[T], ...] = ()


class MappingType(Generic[T]):
    """A mapping with the keys of a class of the model."""

    def __init__(self, model: type[T]) -> None:
        self.model = model
        self.keys = keys_of(model)
        self.names = [key.name for key in self.keys]
        self.places = KeyPlaces(self.names, _below(self.keys), _in_lists(self.keys))
        allowed = f"write a mapping with the keys {either(self.names)}, or leave it out"
        self.format = Format("mapping", "", allowed, _schema(self.keys))

    def read(self, node: ConfigNode) -> Section[T]:
        """Return the content of the mapping at `node`. Errors are added to its diagnostics."""
        before = len(node.diagnostics)
        nodes = node.mapping(self.places, self.format.allowed)
        known_keys = len(node.diagnostics) == before
        values = _values(self.model, nodes)
        return Section(nodes, values, node, known_keys, valid=len(node.diagnostics) == before)


class MappingListType(Generic[T]):
    """A list of mappings with the keys of a class of the model; `noun` names them in the plural."""

    def __init__(self, model: type[T], noun: str) -> None:
        self.mapping = MappingType(model)
        self.noun = noun
        allowed = f"write a list of {noun}, each of which begins with `- name:`, or leave it out"
        schema: JsonSchema = {"type": "array", "items": self.mapping.format.schema}
        self.format = Format("list of mappings", "", allowed, schema)

    def read(self, node: ConfigNode) -> SectionList[T]:
        """Return the content of the list at `node`. Errors are added to its diagnostics."""
        return SectionList(tuple(self.mapping.read(item) for item in node.items(self.format.allowed)))


@dataclass(frozen=True, slots=True)
class IncludedKeys(Generic[T]):
    """A field that is a class of the model, with its keys beside those of the other fields.

    `inherits_from` names the mapping of the file that has the values of the keys that are left out; None
    where they have defaults of their own.
    """

    model: type[T]
    inherits_from: str | None

    @property
    def keys(self) -> tuple[Key, ...]:
        """The keys of the class."""
        return tuple(replace(key, inherits_from=self.inherits_from) for key in keys_of(self.model))

    def read(self, nodes: Mapping[str, ConfigNode]) -> Section[T]:
        """Return the content of these keys."""
        own = {key.name: nodes[key.name] for key in keys_of(self.model) if key.name in nodes}
        return Section(own, _values(self.model, own))


def section(name: str, model: type[T], description: str) -> T:
    """Declare a field that is read from the mapping under the key `name`."""
    source = SingleKey(Key(name, MappingType(model), description))
    return field(default_factory=model, metadata={METADATA: source})


def section_list(name: str, model: type[T], description: str) -> tuple[T, ...]:
    """Declare a field that is read from the list of mappings under the key `name`."""
    source = SingleKey(Key(name, MappingListType(model, noun=name), description))
    return cast("tuple[T, ...]", field(default=(), metadata={METADATA: source}))


def included(model: type[T], *, inherits_from: str | None = None) -> T:
    """Declare a field that is a class of the model, with its keys beside those of the other fields.

    `inherits_from` names the mapping of the file that has the values of the keys that are left out; None
    where they have defaults of their own.
    """
    return field(default_factory=model, metadata={METADATA: IncludedKeys(model, inherits_from)})


def keys_below(key: Key) -> tuple[Key, ...]:
    """Return the keys of the mapping, or of each mapping of the list, that is the value of `key`."""
    if isinstance(key.type, MappingListType):
        return key.type.mapping.keys
    return key.type.keys if isinstance(key.type, MappingType) else ()


def _values(model: type[Any], nodes: Mapping[str, ConfigNode]) -> dict[str, Any]:
    values = {name: source.read(nodes) for name, source in sources(model)}
    return {name: value for name, value in values.items() if value is not None}


def _below(keys: tuple[Key, ...]) -> dict[str, str]:
    """Return the path of each key that belongs into exactly one of the mappings under `keys`."""
    paths = [
        (name, f"{key.name}.{name}")
        for key in keys
        if isinstance(key.type, MappingType)
        for name in key.type.names
    ]
    times = Counter(name for name, _ in paths)
    return {name: path for name, path in paths if times[name] == 1}


def _in_lists(keys: tuple[Key, ...]) -> dict[str, str]:
    """Return where to write each key that is one of a mapping in a list, or of a mapping below that."""
    places: dict[str, str] = {}
    for key in keys:
        if isinstance(key.type, MappingListType):
            noun, mapping = key.type.noun, key.type.mapping
            one = noun.removesuffix("s")
            for name in mapping.names:
                places[name] = f"{name} is for {noun} only: write it in one of them"
            for name, path in mapping.places.below.items():
                within = path.removesuffix(f".{name}")
                places.setdefault(name, f"{name} is for {noun} only: write it in {within} of a {one}")
    return places


def _schema(keys: tuple[Key, ...]) -> JsonSchema:
    schema: JsonSchema = {
        "type": "object",
        "additionalProperties": False,
        "properties": {key.name: key.schema() for key in keys},
    }
    required = [key.name for key in keys if key.required]
    return {**schema, "required": required} if required else schema
