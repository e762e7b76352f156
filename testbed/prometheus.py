"""A real Prometheus, which scrapes the exporter and answers queries."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from testbed import programs
from testbed.prometheus_api import PrometheusApi

_PORT = 9090
_SCRAPE_EXPORTER = """\
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: exporter
    static_configs: [{targets: ["127.0.0.1:10511"]}]
"""


def flags(folder: Path, config: str) -> list[str]:
    """The flags of a server on loopback, with its data and a configuration of this text in `folder`."""
    file = folder / "prometheus.yml"
    file.write_text(config)
    return [
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{_PORT}",
    ]


class Prometheus(PrometheusApi):
    """Prometheus on loopback, and its API. By default it scrapes the exporter at its default port.

    While it does not answer yet, it has no rules, no targets and no samples.
    """

    port = _PORT

    def __init__(self, folder: Path, server_flags: Sequence[str] | None = None) -> None:
        chosen = flags(folder, _SCRAPE_EXPORTER) if server_flags is None else server_flags
        super().__init__((programs.find("prometheus"), *chosen), folder / "prometheus.log")

    def alertmanagers(self) -> list[str]:
        """The addresses to which it sends alerts."""
        return [each["url"] for each in self._api("alertmanagers").get("activeAlertmanagers", [])]

    def targets(self) -> list[dict[str, Any]]:
        """Every target with its `health`, `lastError` and more."""
        active: list[dict[str, Any]] = self._api("targets").get("activeTargets", [])
        return active
