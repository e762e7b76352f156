"""A value that is neither list nor mapping, as it was typed.

YAML 1.1 reads `010` as 8, `1_000` as 1000, `80:90` as 4890 and `no` as false. Here a value stays text, beside
the type that YAML gives it, so that each of these can be an error.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from yaml.nodes import ScalarNode

from exporter.yamlfile.errors import printable


class WrongValueError(Exception):
    """A value is not what its key allows.

    `instead` says what to write where that is certain; otherwise the message ends with what the key allows.
    """

    def __init__(self, message: str, instead: str | None = None) -> None:
        super().__init__(message)
        self.instead = instead


class ScalarType(enum.StrEnum):
    """The type that YAML 1.1 gives a scalar; the value is how a message names it."""

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
    """The text of a scalar, its type in YAML 1.1, and whether it was quoted."""

    text: str
    type: ScalarType
    quoted: bool

    @classmethod
    def of(cls, node: ScalarNode) -> Scalar:
        """Return the scalar of a node. A block text (`|`, `>`) counts as quoted."""
        type_ = _TYPES.get(node.tag.rpartition(":")[2], ScalarType.TEXT)
        return cls(node.value, type_, quoted=node.style is not None)

    @property
    def display(self) -> str:
        """The value as messages show it: in double quotes where it was quoted, is empty or has spaces."""
        text = printable(self.text)
        return f'"{text}"' if self.quoted or not text or " " in text else text
