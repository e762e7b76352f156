"""Panels as this dashboard has them; a row says what is on them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from grafana_foundation_sdk.builders import prometheus, stat, statetimeline, timeseries
from grafana_foundation_sdk.builders.common import (
    GraphThresholdsStyleConfig,
    ReduceDataOptions,
    VizLegendOptions,
    VizTooltipOptions,
)
from grafana_foundation_sdk.builders.dashboard import DashboardLink, ThresholdsConfig
from grafana_foundation_sdk.models.common import (
    BigValueColorMode,
    BigValueGraphMode,
    GraphTresholdsStyleMode,
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

# Settings of single fields, by the names that Grafana's overrides have.
Style = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Line:
    """A query of a graph; all its series look the same."""

    reference: str
    expression: str
    legend: str
    style: Style = field(default_factory=dict)


def fixed(colour: str) -> Style:
    """A colour that stays."""
    return {"color": {"mode": "fixed", "fixedColor": colour}}


def shades(colour: str) -> Style:
    """One colour, lighter and darker for each series."""
    return {"color": {"mode": "shades", "fixedColor": colour}}


def level(colour: str) -> Style:
    """A limit that is drawn as a dashed line."""
    return {
        **fixed(colour),
        "custom.lineStyle": {"fill": "dash", "dash": [8, 6]},
        "custom.fillOpacity": 0,
    }


def settings(style: Style) -> list[DynamicConfigValue]:
    """A style as an override has it."""
    return [DynamicConfigValue(name, value) for name, value in style.items()]


def query(reference: str, expression: str) -> prometheus.Dataquery:
    """A question to Prometheus."""
    return prometheus.Dataquery().ref_id(reference).expr(expression).datasource(PROMETHEUS)


def graph(title: str, description: str, unit: str, width: int, lines: Sequence[Line]) -> timeseries.Panel:
    """Lines over time, from 0 up."""
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


def with_level(panel: timeseries.Panel, at: float) -> timeseries.Panel:
    """Draw a level that no series has."""
    dashed = GraphThresholdsStyleConfig().mode(GraphTresholdsStyleMode.DASHED)
    return panel.thresholds(colours.steps(colours.NONE, (at, colours.WARNING))).thresholds_style(dashed)


def number(
    title: str, description: str, expression: str, thresholds: ThresholdsConfig, runbook: str
) -> stat.Panel:
    """One number, in a colour where it is not 0, and a link to what to do about it."""
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
    """A bar over time for each series, in the colours of its states."""
    return (
        statetimeline.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .with_target(query(line.reference, line.expression).range().legend_format(line.legend))
        .unit("none")
        .height(HEIGHT)
        .span(width)
        .mappings([colours.words(states)])
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
    """A link out of the dashboard, to a tab of its own."""
    return DashboardLink(title).type(DashboardLinkType.LINK).url(url).target_blank(target_blank=True)


def _legend() -> VizLegendOptions:
    return (
        VizLegendOptions()
        .display_mode(LegendDisplayMode.LIST)
        .placement(LegendPlacement.BOTTOM)
        .show_legend(show_legend=True)
        .calcs([])
    )
