"""The rules of Grafana's dashboard-linter (docs/rules in grafana/dashboard-linter).

Each has the name that it has there, and yields the violations of a dashboard. Those for the syntax of queries
are missing: test_variables has Prometheus parse them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from tests.deploy.dashboard.file import Json, panels, targets, variable
from tests.deploy.dashboard.promql import selectors

Rule = Callable[[Json], Iterator[str]]

_SOURCES: Final = {"$datasource", "${datasource}"}
# Of the units that Grafana knows, those that suit this dashboard.
_UNITS: Final = {"bytes", "cps", "none", "percentunit", "pps", "s", "short"}
_VARIABLE_QUERY: Final = re.compile(r"(label_values|query_result)\(.+\)")
_EVERY_TIME_RANGE: Final = 2


def template_datasource_rule(dashboard: Json) -> Iterator[str]:
    """There is one variable for the data source, named `datasource`."""
    found = [
        (each["name"], each["label"], each["query"])
        for each in dashboard["templating"]["list"]
        if each["type"] == "datasource"
    ]
    if found != [("datasource", "Data source", "prometheus")]:
        yield f"data sources {found}"


def template_job_rule(dashboard: Json) -> Iterator[str]:
    """There is a variable for jobs, with several values and All."""
    yield from _template(dashboard, "job")


def template_instance_rule(dashboard: Json) -> Iterator[str]:
    """There is a variable for instances, with several values and All."""
    yield from _template(dashboard, "instance")


def template_label_promql_rule(dashboard: Json) -> Iterator[str]:
    """The query of a variable is a call of a function that Grafana has."""
    for each in _queried(dashboard):
        if not _VARIABLE_QUERY.fullmatch(each["query"]):
            yield f"{each['name']} asks {each['query']}"


def template_on_time_change_reload_rule(dashboard: Json) -> Iterator[str]:
    """The options of variables are queried again when the time range changes."""
    for each in _queried(dashboard):
        if each["refresh"] != _EVERY_TIME_RANGE:
            yield f"{each['name']} has refresh {each['refresh']}"


def panel_datasource_rule(dashboard: Json) -> Iterator[str]:
    """Every panel and every query has the selected data source."""
    for panel in panels(dashboard):
        for asked in (panel, *panel["targets"]):
            if asked["datasource"]["uid"] not in _SOURCES:
                yield f"{panel['title']} asks {asked['datasource']}"


def panel_title_description_rule(dashboard: Json) -> Iterator[str]:
    """Every panel has a title and a description."""
    for panel in panels(dashboard):
        if not panel.get("title") or not panel.get("description"):
            yield f"panel {panel['id']} {panel.get('title')!r} has no title or no description"


def panel_units_rule(dashboard: Json) -> Iterator[str]:
    """Every panel has a unit, and the columns that differ have one."""
    for panel in panels(dashboard):
        # A heatmap has its unit in the options of its axis.
        units = [panel["options"]["yAxis"]["unit"] if panel["type"] == "heatmap" else _unit(panel)]
        units += [
            each["value"]
            for override in panel["fieldConfig"]["overrides"]
            for each in override["properties"]
            if each["id"] == "unit"
        ]
        if not set(units) <= _UNITS:
            yield f"{panel['title']} has units {units}"


def panel_no_targets_rule(dashboard: Json) -> Iterator[str]:
    """Every panel has a query."""
    for panel in panels(dashboard):
        if not panel["targets"]:
            yield f"{panel['title']} has no query"


def target_rate_interval_rule(dashboard: Json) -> Iterator[str]:
    """The range of a rate is `$__rate_interval`."""
    for query in targets(dashboard):
        for each in selectors(query.expression):
            if each.function in {"rate", "irate"} and each.range != "$__rate_interval":
                yield f"{query.place} has {each.function} over {each.range}"


def target_job_rule(dashboard: Json) -> Iterator[str]:
    """Every selector matches the selected jobs."""
    yield from _asking_for(dashboard, 'job=~"$job"')


def target_instance_rule(dashboard: Json) -> Iterator[str]:
    """Every selector matches the selected instances."""
    yield from _asking_for(dashboard, 'instance=~"$instance"')


def target_counter_agg_rule(dashboard: Json) -> Iterator[str]:
    """A counter is the argument of rate, irate or increase."""
    for query in targets(dashboard):
        for each in selectors(query.expression):
            counts = each.metric.endswith("_total") or each.metric.endswith("_bucket")
            if counts and not (each.range and each.function in {"rate", "irate", "increase"}):
                yield f"{query.place} shows {each.metric} in {each.function or 'nothing'}"


def uneditable_dashboard_rule(dashboard: Json) -> Iterator[str]:
    """The dashboard cannot be edited in Grafana, as the next import would undo it."""
    if dashboard["editable"]:
        yield "it is editable"


RULES: Final[tuple[Rule, ...]] = (
    template_datasource_rule,
    template_job_rule,
    template_instance_rule,
    template_label_promql_rule,
    template_on_time_change_reload_rule,
    panel_datasource_rule,
    panel_title_description_rule,
    panel_units_rule,
    panel_no_targets_rule,
    target_rate_interval_rule,
    target_job_rule,
    target_instance_rule,
    target_counter_agg_rule,
    uneditable_dashboard_rule,
)


def _template(dashboard: Json, name: str) -> Iterator[str]:
    asked = variable(dashboard, name)
    wanted = {
        "type": "query",
        "label": name.capitalize(),
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "datasource": {"type": "prometheus", "uid": "${datasource}"},
    }
    for key, value in wanted.items():
        if asked.get(key) != value:
            yield f"{name} has {key} {asked.get(key)!r}"


def _queried(dashboard: Json) -> list[Json]:
    return [each for each in dashboard["templating"]["list"] if each["type"] == "query"]


def _unit(panel: Json) -> str | None:
    unit: str | None = panel["fieldConfig"]["defaults"].get("unit")
    return unit


def _asking_for(dashboard: Json, matcher: str) -> Iterator[str]:
    for query in targets(dashboard):
        for each in selectors(query.expression):
            if matcher not in each.matchers:
                yield f"{query.place} asks for {each.metric} without {matcher}"
