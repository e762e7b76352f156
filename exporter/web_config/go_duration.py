"""The type of durations as Go writes them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from exporter.yamlfile.scalar import Scalar, WrongValueError
from exporter.yamlfile.values import Format, ScalarValue

_UNITS: Final = {
    "ns": Decimal("1e-9"),
    "us": Decimal("1e-6"),
    "µs": Decimal("1e-6"),
    "ms": Decimal("1e-3"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3600),
}
_PART: Final = re.compile(r"(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)", re.ASCII)
_HIGHEST_SECONDS: Final = 24 * 3600
_MAX_CHARACTERS: Final = 40


@dataclass(frozen=True, slots=True)
class GoDuration(ScalarValue[float]):
    """Numbers with units, one after the other (time.ParseDuration: `1m30s`), read as seconds.

    A number alone is an error unless it is 0: Go takes it for nanoseconds, which nobody means.
    """

    @property
    def format(self) -> Format:
        """Range and example; the schema has no range."""
        values = "0 to 24h"
        schema = {"anyOf": [{"type": "string", "pattern": rf"^({_PART.pattern})+$"}, {"const": 0}]}
        return Format("duration", values, f"write a duration from {values}, such as 100ms or 1m30s", schema)

    def parse(self, scalar: Scalar) -> float:
        """Return seconds; raises WrongValueError."""
        text = scalar.text
        if text == "0":
            return 0.0
        if text.startswith("-"):
            raise WrongValueError(f"{scalar.display} is negative")
        if re.fullmatch(r"\d+(\.\d+)?", text, re.ASCII):
            raise WrongValueError(f"{scalar.display} has no unit")
        parts = _PART.findall(text) if len(text) <= _MAX_CHARACTERS else []
        if not parts or "".join(number + unit for number, unit in parts) != text:
            raise WrongValueError(f"{scalar.display} is not a duration")
        seconds = float(sum(Decimal(number) * _UNITS[unit] for number, unit in parts))
        if seconds > _HIGHEST_SECONDS:
            raise WrongValueError(f"{scalar.display} is too much")
        return seconds
