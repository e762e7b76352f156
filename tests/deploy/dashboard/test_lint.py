"""The dashboard keeps the rules of Grafana's dashboard-linter, and each rule finds a violation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.deploy.dashboard import linter_rules
from tests.deploy.dashboard.file import Json, load, panel, variable
from tests.deploy.dashboard.promql import Selector, selectors


@pytest.mark.parametrize("rule", linter_rules.RULES, ids=lambda rule: rule.__name__)
def test_the_dashboard_keeps(rule: linter_rules.Rule) -> None:
    assert list(rule(load())) == []


def _expression(title: str, expression: str) -> Callable[[Json], object]:
    return lambda dashboard: panel(dashboard, title)["targets"][0].update(expr=expression)


@pytest.mark.parametrize(
    ("rule", "break_it"),
    [
        (linter_rules.template_datasource_rule, lambda it: variable(it, "datasource").update(label="Source")),
        (linter_rules.template_job_rule, lambda it: variable(it, "job").update(allValue=".*")),
        (linter_rules.template_instance_rule, lambda it: variable(it, "instance").update(multi=False)),
        (
            linter_rules.template_label_promql_rule,
            lambda it: variable(it, "netns").update(query="values(netns)"),
        ),
        (
            linter_rules.template_on_time_change_reload_rule,
            lambda it: variable(it, "process").update(refresh=1),
        ),
        (linter_rules.panel_datasource_rule, lambda it: panel(it, "CPU")["datasource"].update(uid="mine")),
        (
            linter_rules.panel_datasource_rule,
            lambda it: panel(it, "CPU")["targets"][0].update(datasource={"uid": ""}),
        ),
        (linter_rules.panel_title_description_rule, lambda it: panel(it, "CPU").update(description="")),
        (
            linter_rules.panel_units_rule,
            lambda it: panel(it, "CPU")["fieldConfig"]["defaults"].update(unit="%"),
        ),
        (linter_rules.panel_no_targets_rule, lambda it: panel(it, "CPU").update(targets=[])),
        (
            linter_rules.target_rate_interval_rule,
            _expression("CPU", 'rate(process_cpu_seconds_total{a="b"}[5m])'),
        ),
        (linter_rules.target_job_rule, _expression("CPU", 'sum by (job) (up{instance=~"$instance"})')),
        (
            linter_rules.target_instance_rule,
            _expression("CPU", 'up{instance=~"$instance"} and on (instance) up'),
        ),
        (linter_rules.target_counter_agg_rule, _expression("CPU", "sum(process_cpu_seconds_total)")),
        (
            linter_rules.target_counter_agg_rule,
            _expression("CPU", "max_over_time(process_cpu_seconds_total[5m])"),
        ),
        (linter_rules.uneditable_dashboard_rule, lambda it: it.update(editable=True)),
    ],
)
def test_a_rule_finds_a_violation(rule: linter_rules.Rule, break_it: Callable[[Json], object]) -> None:
    dashboard = load()
    break_it(dashboard)
    assert len(list(rule(dashboard))) == 1


def test_selectors_are_found_wherever_they_are() -> None:
    expression = """
        sum by (le, job) (rate(a_total{x="}", y!~"(\\"", z=~"$z"}[$__rate_interval])) / on (x) group_left () b
        or bool_gauge offset 5m and c{} >= bool 1
    """
    assert selectors(expression) == [
        Selector("a_total", frozenset({'x="}"', 'y!~"(\\""', 'z=~"$z"'}), "$__rate_interval", "rate"),
        Selector("b", frozenset(), "", ""),
        Selector("bool_gauge", frozenset(), "", ""),
        Selector("c", frozenset(), "", ""),
    ]
