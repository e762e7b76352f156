"""The colours of the dashboard, and the thresholds at which they are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from grafana_foundation_sdk.builders.dashboard import FieldColor, ThresholdsConfig
from grafana_foundation_sdk.models.dashboard import (
    FieldColorModeId,
    Threshold,
    ThresholdsMode,
    ValueMap,
    ValueMappingResult,
)

NEUTRAL: Final = "blue"
FAINT: Final = "#8e8e8e"
WARNING: Final = "orange"
CRITICAL: Final = "red"
GOOD: Final = "green"
NONE: Final = "transparent"
TEXT: Final = "text"

# A text and a colour for each value.
States = Mapping[int, tuple[str, str]]


def palette() -> FieldColor:
    """A colour for each series, chosen by its name."""
    return FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME)


def by_value() -> FieldColor:
    """The colour of the highest threshold that the value reaches."""
    return FieldColor().mode(FieldColorModeId.THRESHOLDS)


def steps(first: str, *further: tuple[float, str]) -> ThresholdsConfig:
    """The first colour for all values, further ones from a value on."""
    thresholds = [Threshold(value=None, color=first)]
    thresholds += [Threshold(value=at, color=colour) for at, colour in further]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(thresholds)


def by_utilization(below: str) -> ThresholdsConfig:
    """The default thresholds of the exporter, and a colour below them; 1 is full."""
    return steps(below, (0.5, WARNING), (0.9, CRITICAL))


def value_map(states: States) -> ValueMap:
    """Show values as texts in their colours."""
    return ValueMap(
        {
            str(value): ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(states.items())
        }
    )
