"""A real Prometheus, which scrapes the exporter each second and answers queries."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from testbed import programs
from testbed.program import Program

_PORT = 9090
_CONFIG = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s}}
scrape_configs:
  - job_name: exporter
    static_configs: [{{targets: ["127.0.0.1:{port}"]}}]
"""


class Running(Program):
    """Prometheus on loopback, with its data in `folder` and the configuration of this text."""

    def __init__(self, folder: Path, configured: str) -> None:
        config = folder / "prometheus.yml"
        config.write_text(configured)
        flags = (
            f"--config.file={config}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{_PORT}",
        )
        super().__init__("prometheus", (programs.find("prometheus"), *flags), folder)


class Prometheus(Running):
    """One that can be asked. It scrapes the exporter at its usual port, unless it is configured otherwise."""

    def __init__(self, folder: Path, configured: str = _CONFIG.format(port=10511)) -> None:
        super().__init__(folder, configured)

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its `name`, `health` and `lastError`; none while Prometheus does not answer yet."""
        return [rule for group in self._api("rules").get("groups", []) for rule in group["rules"]]

    def alertmanagers(self) -> list[str]:
        """The addresses to which it sends alerts."""
        return [each["url"] for each in self._api("alertmanagers").get("activeAlertmanagers", [])]

    def query(self, expression: str) -> dict[frozenset[tuple[str, str]], float]:
        """The instant vector of an expression; empty while Prometheus does not answer yet."""
        found = self._api("query", query=expression)
        return {
            frozenset(each["metric"].items()): float(each["value"][1]) for each in found.get("result", [])
        }

    def value(self, expression: str) -> float | None:
        """The one value of an expression; None where there is none."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return next(iter(found.values()), None)

    def label_values(self, label: str, series: str) -> set[str]:
        """Every value that a label of a series has had."""
        found = self._api(f"label/{label}/values", **{"match[]": series})
        return set(found.get("values", []))

    def targets(self) -> list[dict[str, Any]]:
        """What Prometheus knows of its targets: `health`, `lastError` and more."""
        active: list[dict[str, Any]] = self._api("targets").get("activeTargets", [])
        return active

    def _api(self, path: str, **parameters: str) -> dict[str, Any]:
        self.expect_running()
        url = f"http://127.0.0.1:{_PORT}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                data = json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            if error.code == 503:
                return {}
            pytest.fail(f"{url} answered {error.code}: {error.read().decode()}")
        except (urllib.error.URLError, ConnectionError):
            return {}
        return data if isinstance(data, dict) else {"values": data}
