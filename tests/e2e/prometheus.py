"""A real Prometheus with the shipped rules and scrape configuration, but for the intervals: a second each."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from tests.e2e.alert import Alert
from tests.host import prometheus
from tests.lab import programs, syscalls

_ADDRESS = "127.0.0.1:9090"
_SHIPPED = Path(__file__).resolve().parents[2] / "deploy/prometheus/scrape.yml"

Labels = frozenset[tuple[str, str]]


class AlertingPrometheus(prometheus.Prometheus):
    """Prometheus on loopback, with its data in `folder`; scrapes exporters at `ports`."""

    def __init__(self, folder: Path, ports: Iterable[int], alertmanager: str) -> None:
        config = folder / "prometheus.yml"
        config.write_text(yaml.safe_dump(_configured(ports, alertmanager)))
        self._log = folder / "prometheus.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    programs.find("prometheus"),
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'prometheus'}",
                    f"--web.listen-address={_ADDRESS}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509 # the lab has one thread
            )

    def alerts(self) -> list[Alert]:
        """Those that are pending or firing."""
        return [Alert.from_prometheus(told) for told in self._api("alerts").get("alerts", [])]

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its `name`, `health` and `lastError`."""
        return [rule for group in self._api("rules").get("groups", []) for rule in group["rules"]]

    def alertmanagers(self) -> int:
        """To how many it sends alerts."""
        return len(self._api("alertmanagers").get("activeAlertmanagers", []))

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
