"""The variables of the dashboard."""

from __future__ import annotations

from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import (
    DataSourceRef,
    VariableModel,
    VariableOption,
    VariableRefresh,
    VariableSort,
)

from deploy.grafana import queries

PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="${datasource}")

# Initial values: all, the default data source, or the first option, as no listener has an empty name.
_ALL: Final = VariableOption(text=["All"], value=["$__all"])
_DEFAULT: Final = VariableOption(text="default", value="default")
_FIRST: Final = VariableOption(text="", value="")


def variables() -> list[Builder[VariableModel]]:
    """All variables, each after those in its query."""
    exporters = "listen_queue_exporter_build_info"
    listeners = "listen_queue_accept_length"
    return [
        build.DatasourceVariable("datasource").label("Data source").type("prometheus").current(_DEFAULT),
        # Only where one server has several of them is there such a label; All has to include what has none.
        _labels("cluster", f"label_values({exporters}, cluster)"),
        _labels("job", f'label_values({exporters}{{cluster=~"$cluster"}}, job)', all_value=".+"),
        _labels(
            "instance",
            f'label_values({exporters}{{cluster=~"$cluster", job=~"$job"}}, instance)',
            all_value=".+",
        ),
        _labels("netns", f"label_values({queries.of_exporters(listeners)}, netns)").label(
            "Network namespace"
        ),
        # The label is empty where the exporter may not see the owner; All has to include these listeners.
        _labels("process", f"label_values({queries.of_namespaces(listeners)}, process)"),
        _listener(),
    ]


def _labels(name: str, query: str, all_value: str = ".*") -> build.QueryVariable:
    return (
        _query(name, query)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .include_all(include_all=True)
        .all_value(all_value)
        .current(_ALL)
    )


def _listener() -> build.QueryVariable:
    """The fullest first and without All, so that the fullest is selected when the dashboard opens.

    Grafana does not escape double quotes in values, so names with a double quote are left out.
    """
    peak = queries.of_listeners("listen_queue_accept_peak_utilization_ratio")
    length = queries.of_listeners("listen_queue_accept_length")
    # Without sock_diag there are lengths only.
    found = f"sort_desc(max by (listener) ({queries.with_listener_name(f'{peak} or {length}')}))"
    return (
        _query("listener", f"query_result({found})")
        .description(
            "Address and port, or the path of a unix socket. Chosen at first: the fullest of the last minute."
        )
        .regex(r"""/^\{listener="([^"]*)"\} /""")
        .sort(VariableSort.DISABLED)
        .include_all(include_all=False)
        .current(_FIRST)
    )


def _query(name: str, query: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(name.capitalize())
        .datasource(PROMETHEUS)
        .query(query)
        .refresh(VariableRefresh.ON_TIME_RANGE_CHANGED)
        .multi(multi=True)
    )
