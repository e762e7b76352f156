"""The kinds of panels of the dashboard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders.common import (
    ReduceDataOptions,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import DashboardLink, ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    LegendDisplayMode,
    LegendPlacement,
    SortOrder,
    TooltipDisplayMode,
    VisibilityMode,
)
from grafana_foundation_sdk.models.dashboard import DashboardLinkType, DynamicConfigValue

from deploy.grafana import colours
from deploy.grafana.variables import PROMETHEUS

DOCUMENTS: Final = "https://github.com/listen-queue-exporter/listen-queue-exporter/blob/main/docs"
HEIGHT: Final = 8
WIDTH: Final = 24

# Field settings by the ids of Grafana's overrides.
Style = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Line:
    """A query of a graph, with the style of all its series."""

    reference: str
    expression: str
    legend: str
    style: Style = field(default_factory=dict)


def fixed(colour: str) -> Style:
    """One colour for all series."""
    return {"color": {"mode": "fixed", "fixedColor": colour}}


def shades(colour: str) -> Style:
    """Shades of one colour, one for each series."""
    return {"color": {"mode": "shades", "fixedColor": colour}}


def dashed(colour: str) -> Style:
    """A dashed line without an area, for limits."""
    return {
        **fixed(colour),
        "custom.lineStyle": {"fill": "dash", "dash": [8, 6]},
        "custom.fillOpacity": 0,
    }


def settings(style: Style) -> list[DynamicConfigValue]:
    """A style as the properties of an override."""
    return [DynamicConfigValue(name, value) for name, value in style.items()]


def query(reference: str, expression: str) -> prometheus.Dataquery:
    """A query to Prometheus."""
    return prometheus.Dataquery().ref_id(reference).expr(expression).datasource(PROMETHEUS)


def graph(title: str, description: str, unit: str, width: int, lines: Sequence[Line]) -> timeseries.Panel:
    """A time series panel whose axis begins at 0."""
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit(unit)
        .min(0)
        .height(HEIGHT)
        .span(width)
        .color_scheme(colours.palette())
        .line_width(1)
        .fill_opacity(8)
        .show_points(VisibilityMode.NEVER)
        .legend(_legend())
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.MULTI).sort(SortOrder.DESCENDING))
    )
    for line in lines:
        panel.with_target(query(line.reference, line.expression).range().legend_format(line.legend))
        if line.style:
            panel.override_by_query(line.reference, settings(line.style))
    return panel


def number(
    title: str, description: str, expression: str, thresholds: ThresholdsConfig, runbook: str
) -> stat.Panel:
    """A stat panel with a link to the runbook of an alert."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .with_target(query("A", expression).instant())
        .unit("none")
        .decimals(0)
        .min(0)
        .height(4)
        .span(4)
        .thresholds(thresholds)
        .color_scheme(colours.by_value())
        .color_mode(BigValueColorMode.VALUE)
        .graph_mode(BigValueGraphMode.NONE)
        .reduce_options(ReduceDataOptions().calcs(["lastNotNull"]))
        .links([link(f"What to do: {runbook}", f"{DOCUMENTS}/runbooks.md#{runbook.lower()}")])
    )


def timeline(
    title: str, description: str, width: int, line: Line, states: colours.States
) -> statetimeline.Panel:
    """A state timeline: a bar for each series, in the colours of its states."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .with_target(query(line.reference, line.expression).range().legend_format(line.legend))
        .unit("none")
        .height(HEIGHT)
        .span(width)
        .mappings([colours.value_map(states)])
        .color_scheme(colours.by_value())
        .show_value(VisibilityMode.NEVER)
        .merge_values(merge_values=True)
        .row_height(0.8)
        .fill_opacity(70)
        .line_width(0)
        .legend(_legend())
        .tooltip(VizTooltipOptions().mode(TooltipDisplayMode.SINGLE))
    )


def link(title: str, url: str) -> DashboardLink:
    """A link that opens a new tab."""
    return DashboardLink(title).type(DashboardLinkType.LINK).url(url).target_blank(target_blank=True)


def _legend() -> VizLegendOptions:
    return (
        VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
        .calcs([])
    )
