"""A real Prometheus that evaluates the shipped rules each second over what it scrapes each second."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

from tests.host.prometheus import Prometheus
from tests.lab import programs, syscalls

RULES = Path(__file__).resolve().parents[2] / "deploy" / "prometheus"
FILES = (RULES / "alerts.yml", RULES / "recording.yml")

_PORT = 9090
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
        config = folder / "prometheus.yml"
        files = ", ".join(f'"{file}"' for file in FILES)
        config.write_text(_CONFIG.format(files=files, job=job, more=more, port=port, labels=labels))
        self._log = folder / "prometheus.log"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    programs.find("prometheus"),
                    f"--config.file={config}",
                    f"--storage.tsdb.path={folder / 'data'}",
                    f"--web.listen-address=127.0.0.1:{_PORT}",
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509 # the lab has one thread
            )

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its `name`, `health` and `lastError`; none while Prometheus does not answer yet."""
        return [rule for group in self._api("rules").get("groups", []) for rule in group["rules"]]

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
