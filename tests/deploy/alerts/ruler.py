"""A real Prometheus that evaluates the shipped rules each second over what it scrapes each second."""

from __future__ import annotations

from pathlib import Path

from testbed.prometheus import Prometheus

RULES = Path(__file__).resolve().parents[3] / "deploy/prometheus/rules"
FILES = (RULES / "alerts.yml", RULES / "recording.yml")

_CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{files}]
scrape_configs:
  - job_name: {job}
    {more}
    static_configs: [{{targets: ["127.0.0.1:{port}"], labels: {{{labels}}}}}]
"""


class Ruler(Prometheus):
    """Prometheus on loopback with the rules of deploy/prometheus.

    `labels` are given to the target, as service discovery does, and `more` is YAML for the scrape job.
    """

    def __init__(
        self, folder: Path, *, job: str = "queues", labels: str = "", more: str = "", port: int = 10511
    ) -> None:
        files = ", ".join(f'"{file}"' for file in FILES)
        super().__init__(folder, _CONFIG.format(files=files, job=job, more=more, port=port, labels=labels))

    def firing(self) -> dict[str, list[dict[str, str]]]:
        """The labels of the alerts that fire, by the name of the alert."""
        found: dict[str, list[dict[str, str]]] = {}
        for alert in self._api("alerts").get("alerts", []):
            if alert["state"] == "firing":
                found.setdefault(alert["labels"]["alertname"], []).append(alert["labels"])
        return found

    def annotations(self, name: str) -> list[dict[str, str]]:
        """The annotations of every alert of this name, pending or firing."""
        alerts = self._api("alerts").get("alerts", [])
        return [alert["annotations"] for alert in alerts if alert["labels"]["alertname"] == name]
