"""The configuration for Prometheus is accepted, and brings the rules with it."""

from __future__ import annotations

import yaml

from testbed import programs
from tests.deploy.alerts.shipped import ALERTS, RECORDING, ROOT

CONFIG = ROOT / "deploy/prometheus/prometheus.yml"


def test_prometheus_takes_the_scrape_configuration() -> None:
    assert "is valid prometheus config file" in programs.output("promtool", "check", "config", str(CONFIG))


def test_it_loads_every_rule_file() -> None:
    """Recording rules alone would record nothing: which targets count is said in the file of the alerts."""
    named = {CONFIG.parent / name for name in yaml.safe_load(CONFIG.read_text())["rule_files"]}
    assert named == {ALERTS, RECORDING}


def test_rules_are_evaluated_as_often_as_is_scraped() -> None:
    timing = yaml.safe_load(CONFIG.read_text())["global"]
    assert timing["evaluation_interval"] == timing["scrape_interval"]
