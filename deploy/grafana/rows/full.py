"""What only listeners have of which `export: full` publishes everything."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import heatmap, timeseries
from grafana_foundation_sdk.models.common import HeatmapCellLayout
from grafana_foundation_sdk.models.heatmap import HeatmapColorMode, HeatmapColorScale
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana import colours, queries
from deploy.grafana.panels import HEIGHT, Line, Style, fixed, graph, query, shades
from deploy.grafana.rows.row import Row
from deploy.grafana.variables import PROMETHEUS

_NEEDS_FULL: Final = "Needs `export: full` for the listener in the exporter's configuration."
_PEAK: Final[Style] = {**shades("purple"), "custom.lineWidth": 2}
_MEDIAN: Final[Style] = {**shades(colours.NEUTRAL), "custom.lineWidth": 2}


def row() -> Row:
    """The last row. It stays empty where no listener has `export: full`."""
    return Row("The chosen listener in full (export: full)", [_samples(), _beyond(), _waits(), *_peaks()])


def _samples() -> heatmap.Panel:
    buckets = queries.of_listeners("listen_queue_accept_sampled_utilization_ratio_bucket")
    expression = f"sum by (le) ({queries.selected(f'increase({buckets}[$__rate_interval])')})"
    return (
        heatmap.Panel()
        .title("How often how full")
        .description(
            "Samples by utilization: the stronger the colour, the more of them. The top line is a full "
            "queue, the bottom line an empty one. There are many samples between two scrapes, so that short "
            f"bursts show. {_NEEDS_FULL}"
        )
        .datasource(PROMETHEUS)
        .with_target(
            query("samples", expression).range().format(PromQueryFormat.HEATMAP).legend_format("{{le}}")
        )
        .height(HEIGHT)
        .span(12)
        .calculate(calculate=False)
        .rows_frame(heatmap.RowsHeatmapOptions().layout(HeatmapCellLayout.AUTO))
        .y_axis(heatmap.YAxisConfig().unit("percentunit").decimals(0))
        .cell_values(heatmap.CellValues().unit("short").decimals(0))
        .cell_gap(1)
        .color(
            heatmap.HeatmapColorOptions()
            .mode(HeatmapColorMode.SCHEME)
            .scheme("Blues")
            .scale(HeatmapColorScale.EXPONENTIAL)
            .exponent(0.4)
            .steps(32)
            .min(0)
        )
        .filter_values(heatmap.FilterValueRange().le(1e-9))
        .hide_legend()
        .show_tooltip()
    )


def _beyond() -> timeseries.Panel:
    return graph(
        "Share of time beyond thresholds",
        "The part of the time in which the accept queue was beyond its warning and its critical level, "
        f"before `hold`: 100 % is all of the time. {_NEEDS_FULL}",
        "percentunit",
        12,
        [
            Line(
                severity,
                queries.selected(
                    queries.rate(
                        queries.of_listeners(
                            "listen_queue_threshold_exceeded_seconds_total",
                            'queue="accept"',
                            f'severity="{severity}"',
                        )
                    )
                ),
                f"beyond {severity} · {queries.LEGEND}",
                fixed(colour),
            )
            for severity, colour in (("warning", colours.WARNING), ("critical", colours.CRITICAL))
        ],
    ).max(1)


def _waits() -> timeseries.Panel:
    buckets = queries.rate(queries.of_listeners("listen_queue_accept_wait_seconds_bucket"))
    return graph(
        "How long clients waited",
        "The time until the program accepted them: half of the clients waited no longer than the lower line, "
        "and 99 of 100 no longer than the upper one. That is of those who waited long enough for a sample to "
        "see them; where nobody did there is no line. The kernel does not tell this of unix sockets. "
        f"{_NEEDS_FULL}",
        "s",
        24,
        [
            Line(
                name,
                queries.selected(f"histogram_quantile({quantile}, {buckets})"),
                f"{name} · {queries.LEGEND}",
                style,
            )
            for name, quantile, style in (("p50", 0.5, _MEDIAN), ("p99", 0.99, _PEAK))
        ],
    )


def _peaks() -> list[timeseries.Panel]:
    return [
        graph(
            title,
            f"{what} in any sample of the last minute, or of what `peak_window` says. {_NEEDS_FULL}",
            "none",
            12,
            [Line("peak", queries.selected(queries.of_listeners(name)), f"peak · {queries.LEGEND}", _PEAK)],
        ).decimals(0)
        for title, what, name in (
            (
                "Peak of connections waiting",
                "The most connections that waited",
                "listen_queue_accept_peak_length",
            ),
            (
                "Peak of half-open connections",
                "The most connections whose handshake was not finished",
                "listen_queue_syn_recv_peak",
            ),
        )
    ]
