"""The few colours of the dashboard, and from which value on they are shown."""

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

CALM: Final = "blue"
FAINT: Final = "#8e8e8e"
WARNING: Final = "orange"
CRITICAL: Final = "red"
GOOD: Final = "green"
NONE: Final = "transparent"
TEXT: Final = "text"

# A word and a colour for each value.
States = Mapping[int, tuple[str, str]]


def palette() -> FieldColor:
    """A colour for each series, which stays with its name."""
    return FieldColor().mode(FieldColorModeId.PALETTE_CLASSIC_BY_NAME)


def by_value() -> FieldColor:
    """The colour of the threshold that the value has reached."""
    return FieldColor().mode(FieldColorModeId.THRESHOLDS)


def steps(first: str, *further: tuple[float, str]) -> ThresholdsConfig:
    """The first colour for all values, and others from some value on."""
    begins = [Threshold(value=None, color=first)]
    begins += [Threshold(value=at, color=colour) for at, colour in further]
    return ThresholdsConfig().mode(ThresholdsMode.ABSOLUTE).steps(begins)


def by_utilization(below: str) -> ThresholdsConfig:
    """The thresholds that the exporter has by default, and a colour below them; 1 is full."""
    return steps(below, (0.5, WARNING), (0.9, CRITICAL))


def words(states: States) -> ValueMap:
    """Show values as words in their colours."""
    return ValueMap(
        {
            str(value): ValueMappingResult(text=text, color=colour, index=index)
            for index, (value, (text, colour)) in enumerate(states.items())
        }
    )
