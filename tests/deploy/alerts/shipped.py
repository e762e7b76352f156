"""The rules that are handed out, and what their test files say about them."""

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
    """One alerting rule; a name may have several, of different severity."""

    name: str
    expression: str
    labels: dict[str, str]
    annotations: dict[str, str]


@dataclass(frozen=True, slots=True)
class Check:
    """What a test file expects of one alert at one time; `seconds` counts within `case`."""

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
    """Every name of an alert once."""
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
    """What GitHub calls the headings of a document in an address."""
    headings = _HEADING.findall(document.read_text())
    return [_NO_ANCHOR.sub("", heading.lower()).replace(" ", "-") for heading in headings]


def _seconds(time: str) -> float:
    units = {"s": 1, "m": 60, "h": 3600}
    return sum(int(count) * units[unit] for count, unit in re.findall(r"(\d+)([smh])", time))
