"""Table panels: instant queries, whose rows are merged where their labels are equal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from string import ascii_uppercase
from typing import Final

from grafana_foundation_sdk.builders import table
from grafana_foundation_sdk.builders.common import TableSortByFieldState
from grafana_foundation_sdk.builders.dashboard import ThresholdsConfig
from grafana_foundation_sdk.models.common import TableCellHeight
from grafana_foundation_sdk.models.dashboard import DataTransformerConfig
from grafana_foundation_sdk.models.prometheus import PromQueryFormat

from deploy.grafana.panels import HEIGHT, WIDTH, Style, query, settings
from deploy.grafana.variables import PROMETHEUS

# For columns that only links use. Grafana reads the first name up to version 12, later ones the second.
HIDDEN: Final[Style] = {"custom.hidden": True, "custom.hideFrom.viz": True}


@dataclass(frozen=True, slots=True)
class Label:
    """A column with a label of all queries, or of one."""

    name: str
    title: str
    style: Style = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Value:
    """A column with the values of a query. Without a title it is hidden, and the query only adds a label."""

    expression: str
    title: str = ""
    style: Style = field(default_factory=dict)


def as_share(thresholds: ThresholdsConfig) -> Style:
    """Ratios as per cent, in the colours of these thresholds."""
    return {
        "unit": "percentunit",
        "decimals": 0,
        "thresholds": thresholds.build(),
        "color": {"mode": "thresholds"},
        "custom.cellOptions": {"type": "color-text"},
    }


def listing(
    title: str,
    description: str,
    columns: Sequence[Label | Value],
    sort_by: Label | Value,
    leave_out: Sequence[str] = (),
) -> table.Panel:
    """A table with these columns in this order, sorted by a label upwards or by a value downwards.

    `leave_out` names the labels of the queries that have no column.
    """
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(PROMETHEUS)
        .unit("short")
        .height(HEIGHT)
        .span(WIDTH)
        .cell_height(TableCellHeight.SM)
        .show_header(show_header=True)
        .sort_by([TableSortByFieldState().display_name(sort_by.title).desc(isinstance(sort_by, Value))])
    )
    titles: dict[str, str] = {}
    hidden = ["Time", *leave_out]
    references = iter(ascii_uppercase)
    for column in columns:
        name = (
            column.name
            if isinstance(column, Label)
            else f"Value #{_add_query(panel, next(references), column)}"
        )
        if column.title:
            titles[name] = column.title
        else:
            hidden.append(name)
        if column.style:
            panel.override_by_name(column.title, settings(column.style))
    return panel.transformations(
        [
            DataTransformerConfig(id_val="merge", options={}),
            DataTransformerConfig(
                id_val="organize",
                options={
                    "excludeByName": dict.fromkeys(hidden, True),
                    "indexByName": {name: index for index, name in enumerate(titles)},
                    "renameByName": titles,
                },
            ),
        ]
    )


def _add_query(panel: table.Panel, reference: str, column: Value) -> str:
    panel.with_target(query(reference, column.expression).instant().format(PromQueryFormat.TABLE))
    return reference
