"""The rules for Prometheus: promtool accepts them, their tests pass, and each alert is documented."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from testbed import programs
from tests.deploy.alerts import shipped

BASE = "https://github.com/listen-queue-exporter/listen-queue-exporter/blob/main/docs/runbooks.md#"
NAMES = pytest.mark.parametrize("name", shipped.alert_names())
ALERTS = pytest.mark.parametrize(
    "alert", shipped.alerts(), ids=lambda alert: f"{alert.name}-{alert.labels['severity']}"
)

# The routes and inhibitions of users match these names.
FIXED = """
    ListenQueueFull ListenQueueNearlyFull ListenQueueFilling ListenQueueFullAtTimes ListenQueueStuck
    ListenQueueUnixFull ListenQueueOverflow ListenQueueSynDropping ListenQueueSynCookies
    ListenQueueBacklogCapped ListenQueueBacklogSmall ListenQueueReuseportSkewed ListenQueueExporterDown
    ListenQueueExporterBlind ListenQueueExporterStale ListenQueueExporterReloadFailed
    ListenQueueExporterOmitting ListenQueueExporterShareExceeded ListenQueueExporterOverBudget
    ListenQueueExporterLogLost
"""

# Comparisons with another number than 0 and 1: the value of a sysctl; nearly as fast as time; nearly always;
# more often than not.
SHAPES = (
    "rate(listen_queue_exporter_cpu_budget_exceeded_seconds_total[10m]) > 0.5",
    "listen_queue_sysctl_net_ipv4_tcp_syncookies == 2",
    "> 0.9 * (timestamp(",
    "rate(listen_queue_accept_full_seconds_total[1m]) < 0.95",
)

_METRIC = re.compile(r"\b(?:[a-z]+:)?listen_queue[a-z0-9_:]*")
_COMPARED_TO = re.compile(r"(?:[=!]=|[<>]=?)\s*(?:bool\s+)?(?P<number>\d+(?:\.\d+)?)")
_COMPARED_FROM = re.compile(r"(?<![\w.])\d+(?:\.\d+)?\s*(?:[=!]=|[<>]=?)")
_STRING = re.compile(r'"[^"]*"')


@pytest.mark.usefixtures("monitoring_release")
def test_promtool_accepts_the_rules() -> None:
    output = programs.output("promtool", "check", "rules", str(shipped.ALERTS), str(shipped.RECORDING))
    counted = sum(map(int, re.findall(r"SUCCESS: (\d+) rules found", output)))
    assert counted == len(list(shipped.rules(shipped.ALERTS, shipped.RECORDING)))
    assert counted >= 27


@pytest.mark.usefixtures("monitoring_release")
@pytest.mark.parametrize("file", shipped.TESTS, ids=lambda file: file.stem)
def test_promtool_finds_that_the_rules_do_what_a_test_file_expects(file: Path) -> None:
    programs.output("promtool", "test", "rules", str(file))


def test_clusters_are_kept_apart_wherever_targets_are() -> None:
    texts = [
        *(rule["expr"] for rule in shipped.rules(shipped.ALERTS, shipped.RECORDING)),
        *(alert.annotations["description"] for alert in shipped.alerts()),
    ]
    for text in texts:
        of_targets = re.findall(r"(?:on|by|ignoring) \((.*\bjob\b.*?)\)", text)
        assert all(labels.startswith("cluster, job") for labels in of_targets), text
        assert text.count("job=%q") == text.count("cluster=%q,job=%q") == text.count("$labels.cluster")
        assert text.count("$it :=") == text.count('range args "cluster" "job" "instance"')


def test_the_alerts_have_the_names_that_users_rely_on() -> None:
    assert shipped.alert_names() == sorted(FIXED.split())


@NAMES
def test_a_test_file_has_each_alert_not_firing_then_firing_then_not_firing(name: str) -> None:
    mine = [check for check in shipped.checks() if check.alert == name]
    for case in {check.case for check in mine}:
        its = [check for check in mine if check.case == case]
        fires = [check.seconds for check in its if check.fires]
        not_firing = [check.seconds for check in its if not check.fires]
        if fires and not_firing and min(not_firing) < min(fires) and max(not_firing) > max(fires):
            return
    pytest.fail(f"no case in tests/deploy/alerts/rules has {name} not firing, then firing, then not firing")


@ALERTS
def test_each_alert_has_a_severity_and_annotations(alert: shipped.Alert) -> None:
    assert re.fullmatch(r"ListenQueue([A-Z][a-z]+)+", alert.name)
    assert alert.labels.keys() == {"severity"}
    assert alert.labels["severity"] in {"warning", "critical"}
    assert alert.annotations.keys() == {"summary", "description", "runbook_url"}
    assert all(text.strip() for text in alert.annotations.values())
    assert "$labels.instance" in alert.annotations["summary"]


@ALERTS
def test_each_alert_has_a_runbook(alert: shipped.Alert) -> None:
    assert alert.annotations["runbook_url"] == BASE + alert.name.lower()
    assert alert.name.lower() in shipped.anchors(shipped.RUNBOOKS)


@ALERTS
def test_no_expression_has_a_threshold(alert: shipped.Alert) -> None:
    """Thresholds are in the exporter's configuration; 0 and 1 are not thresholds: none or no, full or yes."""
    expression = " ".join(_STRING.sub('""', alert.expression).split())
    for shape in SHAPES:
        expression = expression.replace(shape, "")
    assert {match["number"] for match in _COMPARED_TO.finditer(expression)} <= {"0", "1"}
    assert not _COMPARED_FROM.search(expression)


def test_every_metric_of_the_rules_is_documented() -> None:
    documented = set(_METRIC.findall((shipped.ROOT / "docs/metrics.md").read_text()))
    documented |= {f"{name}_bucket" for name in documented} | shipped.records().keys()
    expressions = [*shipped.records().values(), *(alert.expression for alert in shipped.alerts())]
    annotations = [text for alert in shipped.alerts() for text in alert.annotations.values()]
    used = {name for text in (*expressions, *annotations) for name in _METRIC.findall(text)}
    assert used - documented == set()
    assert len(used) > 20


def test_the_first_rule_of_all_selects_the_exporters() -> None:
    """It is in the group of the alerts, so that they use it in the same evaluation."""
    (group,) = yaml.safe_load(shipped.ALERTS.read_text())["groups"]
    assert group["rules"][0]["record"] == "listen_queue:up"


@pytest.mark.parametrize("file", shipped.TESTS, ids=lambda file: file.stem)
def test_one_line_selects_the_targets_of_every_rule(file: Path, tmp_path: Path) -> None:
    """Where it selects nothing, no alert of the test file fires and nothing is recorded."""
    selector = shipped.records()["listen_queue:up"]
    for source in (shipped.ALERTS, shipped.RECORDING):
        content = yaml.safe_load(source.read_text())
        for group in content["groups"]:
            for rule in group["rules"]:
                if rule["expr"] == selector:
                    rule["expr"] = 'up{job="none"}'
        (tmp_path / source.name).write_text(yaml.safe_dump(content, sort_keys=False))
    tests = yaml.safe_load(file.read_text())
    tests["rule_files"] = [shipped.ALERTS.name, shipped.RECORDING.name]
    for case in tests["tests"]:
        asked = {
            check["eval_time"]
            for kind in ("alert_rule_test", "promql_expr_test")
            for check in case.pop(kind, [])
        }
        case["promql_expr_test"] = [
            {"expr": expression, "eval_time": time, "exp_samples": []}
            for time in sorted(asked)
            for expression in (
                'ALERTS{alertname!="ListenQueueExporterDown"}',
                '{__name__=~".+:listen_queue_.+|listen_queue:up"}',
            )
        ]
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests, sort_keys=False))
    programs.output("promtool", "test", "rules", str(tmp_path / "tests.yml"))
