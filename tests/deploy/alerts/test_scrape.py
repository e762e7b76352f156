"""The configuration for Prometheus is valid and has the rule files."""

from __future__ import annotations

import pytest
import yaml

from testbed import programs
from tests.deploy.alerts.shipped import ALERTS, RECORDING, ROOT

pytestmark = pytest.mark.usefixtures("monitoring_release")

CONFIG = ROOT / "deploy/prometheus/prometheus.yml"


def test_promtool_accepts_the_configuration() -> None:
    assert "is valid prometheus config file" in programs.output("promtool", "check", "config", str(CONFIG))


def test_it_has_every_rule_file() -> None:
    """The recording rules need the file of the alerts, whose first rule selects the targets."""
    named = {CONFIG.parent / name for name in yaml.safe_load(CONFIG.read_text())["rule_files"]}
    assert named == {ALERTS, RECORDING}


def test_the_evaluation_interval_is_the_scrape_interval() -> None:
    timing = yaml.safe_load(CONFIG.read_text())["global"]
    assert timing["evaluation_interval"] == timing["scrape_interval"]
