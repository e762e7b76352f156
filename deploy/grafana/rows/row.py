"""A row of the dashboard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import Panel


@dataclass(frozen=True, slots=True)
class Row:
    """A title with panels below it. While a row is closed, Grafana sends no queries of its panels."""

    title: str
    panels: Sequence[Builder[Panel]]
    closed: bool = True
