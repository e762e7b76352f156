"""What is handed out for deployment is accepted by the programs it is for."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lab import programs

DEPLOY = Path(__file__).resolve().parents[1] / "deploy"


@pytest.mark.parametrize(
    "config", sorted((DEPLOY / "prometheus").glob("scrape*.yml")), ids=lambda path: path.name
)
def test_prometheus_takes_the_scrape_configuration(config: Path) -> None:
    assert "SUCCESS" in programs.output("promtool", "check", "config", str(config))
