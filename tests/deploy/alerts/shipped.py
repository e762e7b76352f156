"""The rules of deploy/prometheus, and the cases of their test files."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[3]
ALERTS = ROOT / "deploy/prometheus/rules/alerts.yml"
RECORDING = ROOT / "deploy/prometheus/rules/recording.yml"
RUNBOOKS = ROOT / "docs/runbooks.md"
TESTS = sorted((Path(__file__).parent / "rules").glob("*.yml"))

_HEADING = re.compile(r"^#+ +(.+?) *$", re.MULTILINE)
_NO_ANCHOR = re.compile(r"[^\w\- ]")


@dataclass(frozen=True, slots=True)
class Alert:
    """An alerting rule; rules of one name differ in severity."""

    name: str
    expression: str
    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass(frozen=True, slots=True)
class Check:
    """Whether an alert fires at a time of a test case, in seconds since the beginning of the case."""

    case: tuple[str, str]
    alert: str
    seconds: float
    fires: bool


def rules(*files: Path) -> Iterator[dict[str, Any]]:
    """Every rule of the files, in order."""
    for file in files:
        for group in yaml.safe_load(file.read_text())["groups"]:
            yield from group["rules"]


def alerts() -> list[Alert]:
    """Every alerting rule, in order."""
    return [
        Alert(rule["alert"], rule["expr"], rule["labels"], rule["annotations"])
        for rule in rules(ALERTS)
        if "alert" in rule
    ]


def alert_names() -> list[str]:
    """The names of the alerts, sorted."""
    return sorted({alert.name for alert in alerts()})


def records() -> dict[str, str]:
    """The expression of every recording rule, by its name."""
    return {rule["record"]: rule["expr"] for rule in rules(ALERTS, RECORDING) if "record" in rule}


def checks() -> list[Check]:
    """Every `alert_rule_test` of every test file."""
    return [
        Check(
            (file.name, case["name"]),
            check["alertname"],
            _seconds(str(check["eval_time"])),
            bool(check["exp_alerts"]),
        )
        for file in TESTS
        for case in yaml.safe_load(file.read_text())["tests"]
        for check in case.get("alert_rule_test", [])
    ]


def anchors(document: Path) -> list[str]:
    """The anchors that GitHub makes of the headings of a document."""
    headings = _HEADING.findall(document.read_text())
    return [_NO_ANCHOR.sub("", heading.lower()).replace(" ", "-") for heading in headings]


def _seconds(time: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([smh])", time))
