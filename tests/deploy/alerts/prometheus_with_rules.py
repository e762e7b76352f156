"""A real Prometheus with the rules of deploy/prometheus, which scrapes one exporter."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from testbed.prometheus import Prometheus, flags
from testbed.waiting import until

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


class PrometheusWithRules(Prometheus):
    """Prometheus on loopback, which scrapes and evaluates each second.

    `labels` are those of the target, as service discovery gives them; `more` is YAML for the scrape job.
    """

    def __init__(
        self, folder: Path, *, job: str = "queues", labels: str = "", more: str = "", port: int = 10511
    ) -> None:
        files = ", ".join(f'"{file}"' for file in FILES)
        config = _CONFIG.format(files=files, job=job, more=more, port=port, labels=labels)
        super().__init__(folder, flags(folder, config))

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

    def wait_for_evaluation(self) -> None:
        """Return when every rule was evaluated once more, from the beginning on."""
        called = datetime.now(UTC)
        until(self._evaluation_times, lambda times: bool(times) and min(times) > called)

    def _evaluation_times(self) -> list[datetime]:
        """When the last evaluation of each rule began; the year 1 where there was none."""
        return [datetime.fromisoformat(rule["lastEvaluation"]) for rule in self.rules()]
