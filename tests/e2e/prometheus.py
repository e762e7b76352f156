"""A real Prometheus with the shipped rules and scrape configuration, but for the intervals: a second each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from testbed import prometheus
from tests.e2e.alert import Alert

_SHIPPED = Path(__file__).resolve().parents[2] / "deploy/prometheus/prometheus.yml"

Labels = frozenset[tuple[str, str]]


class AlertingPrometheus(prometheus.Prometheus):
    """Prometheus on loopback, with its data in `folder`; scrapes exporters at `ports`."""

    def __init__(self, folder: Path, ports: Iterable[int], alertmanager: str) -> None:
        super().__init__(folder, yaml.safe_dump(_configured(ports, alertmanager)))

    def alerts(self) -> list[Alert]:
        """Those that are pending or firing."""
        return [Alert.from_prometheus(told) for told in self._api("alerts").get("alerts", [])]

    def history(self, selector: str) -> dict[Labels, list[tuple[float, float]]]:
        """For each series the time and value of every sample of the last ten minutes."""
        found = self._api("query", query=f"{selector}[10m]").get("result", [])
        return {
            frozenset(each["metric"].items()): [(float(at), float(value)) for at, value in each["values"]]
            for each in found
        }


def _configured(ports: Iterable[int], alertmanager: str) -> dict[str, Any]:
    """As shipped, but for the intervals and where everybody is."""
    config: dict[str, Any] = yaml.safe_load(_SHIPPED.read_text())
    config["global"] = {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"}
    config["rule_files"] = [str(_SHIPPED.parent / name) for name in config["rule_files"]]
    _point_to(config["alerting"]["alertmanagers"], [alertmanager])
    _point_to(config["scrape_configs"], [f"127.0.0.1:{port}" for port in ports])
    return config


def _point_to(configured: list[dict[str, Any]], targets: list[str]) -> None:
    (only,) = configured
    only["static_configs"] = [{"targets": targets}]
