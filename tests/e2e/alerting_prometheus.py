"""A real Prometheus that evaluates alerts, and what it recorded of them."""

from __future__ import annotations

from testbed.prometheus import Prometheus
from tests.e2e.alert import Alert

Labels = frozenset[tuple[str, str]]


class AlertingPrometheus(Prometheus):
    """Prometheus with the history of its series."""

    def alerts(self) -> list[Alert]:
        """Those that are pending or firing."""
        return [Alert.from_prometheus(each) for each in self._api("alerts").get("alerts", [])]

    def history(self, selector: str) -> dict[Labels, dict[float, float]]:
        """For each series the samples of the last ten minutes, by their timestamp."""
        found = self._api("query", query=f"{selector}[10m]").get("result", [])
        return {
            frozenset(each["metric"].items()): {float(at): float(value) for at, value in each["values"]}
            for each in found
        }
