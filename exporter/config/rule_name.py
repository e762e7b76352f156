"""The type of a rule's name."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.yamlfile.scalar import Scalar, WrongValueError
from exporter.yamlfile.values import TEXT_SCHEMA, Format, ScalarValue, parse_text

# The `rule` label of listeners that no rule matches, and of their thresholds.
DEFAULTS = "defaults"


@dataclass(frozen=True, slots=True)
class RuleName(ScalarValue[str]):
    """Text other than DEFAULTS."""

    @property
    def format(self) -> Format:
        """Text, and an example."""
        schema = {**TEXT_SCHEMA, "not": {"const": DEFAULTS}}
        return Format("text", f"any but {DEFAULTS}", "write a name, such as edge", schema)

    def parse(self, scalar: Scalar) -> str:
        """Return the name; raises WrongValueError."""
        name = parse_text(scalar)
        if name == DEFAULTS:
            raise WrongValueError(f"{DEFAULTS} stands for the listeners that no rule matches")
        return name
