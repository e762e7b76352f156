"""The values of keys about network namespaces."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from exporter.yamlfile.scalar import Scalar
from exporter.yamlfile.values import Boolean, Format, ScalarValue


class NetnsName(enum.StrEnum):
    """What the label `netns` of a container's namespace is: the name of its pod or container, or a number."""

    NAME = "name"
    INODE = "inode"


class AutoBool(enum.StrEnum):
    """Whether something is done: AUTO where the process has the capabilities for it."""

    AUTO = "auto"
    TRUE = "true"
    FALSE = "false"


@dataclass(frozen=True, slots=True)
class AutoBoolean(ScalarValue[AutoBool]):
    """True or false as in YAML 1.2, or the word auto."""

    @property
    def format(self) -> Format:
        """The three words."""
        values = "auto, true or false"
        return Format("boolean or auto", values, f"write {values}", {"enum": ["auto", True, False]})

    def parse(self, scalar: Scalar) -> AutoBool:
        """Return the choice; raises WrongValueError."""
        if scalar.text == AutoBool.AUTO:
            return AutoBool.AUTO
        return AutoBool.TRUE if Boolean().parse(scalar) else AutoBool.FALSE
