"""What can be chosen at the top of the dashboard."""

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

# What is chosen at first: everything, Grafana's default, or what comes first, as nothing is called so.
_ALL: Final = VariableOption(text=["All"], value=["$__all"])
_DEFAULT: Final = VariableOption(text="default", value="default")
_FIRST: Final = VariableOption(text="", value="")


def variables() -> list[Builder[VariableModel]]:
    """All variables, each after those that its query asks for."""
    exporters = "listen_queue_exporter_build_info"
    listeners = "listen_queue_accept_length"
    return [
        build.DatasourceVariable("datasource").label("Data source").type("prometheus").current(_DEFAULT),
        _labels("job", f"label_values({exporters}, job)", everything=".+"),
        _labels("instance", f'label_values({exporters}{{job=~"$job"}}, instance)', everything=".+"),
        _labels("netns", f"label_values({queries.of_exporters(listeners)}, netns)").label(
            "Network namespace"
        ),
        # Empty where the owner of a listener may not be seen, and All must have these too.
        _labels("process", f"label_values({queries.of_namespaces(listeners)}, process)"),
        _listener(),
    ]


def _labels(name: str, query: str, everything: str = ".*") -> build.QueryVariable:
    return (
        _query(name, query)
        .sort(VariableSort.ALPHABETICAL_ASC)
        .include_all(include_all=True)
        .all_value(everything)
        .current(_ALL)
    )


def _listener() -> build.QueryVariable:
    """The fullest first, without All: so the fullest is chosen where the dashboard opens.

    Grafana does not escape double quotes in what is chosen, so names with one in them are left out.
    """
    peak = queries.of_listeners("listen_queue_accept_peak_utilization_ratio")
    length = queries.of_listeners("listen_queue_accept_peak_length")
    # A host without sock_diag tells lengths alone.
    found = f"sort_desc(max by (listener) ({queries.named(f'{peak} or {length}')}))"
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
