"""How many series a listener has, and how that is written."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from exporter.yamlfile.scalar import Scalar, ScalarType, WrongValueError
from exporter.yamlfile.values import Choice, Format, ScalarValue, expect_no_quotes


class Export(enum.StrEnum):
    """Which series of a listener are published: none, what alerts need, or everything that is known."""

    NONE = "false"
    LEAN = "lean"
    FULL = "full"


_WORDS: Final = Choice((Export.LEAN, Export.FULL))


@dataclass(frozen=True, slots=True)
class ExportType(ScalarValue[Export]):
    """False as in YAML 1.2, or one of the words lean and full."""

    @property
    def format(self) -> Format:
        """The three values."""
        values = "false, lean or full"
        return Format("word or false", values, f"write {values}", {"enum": [False, "lean", "full"]})

    def parse(self, scalar: Scalar) -> Export:
        """Return the choice; raises WrongValueError."""
        if scalar.text == Export.NONE:
            expect_no_quotes(scalar, ScalarType.BOOLEAN)
            return Export.NONE
        if scalar.type is ScalarType.BOOLEAN:
            raise WrongValueError(f"{scalar.display} does not say which series are published")
        return _WORDS.parse(scalar)
