"""A real Prometheus, which scrapes the exporter and answers queries."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from testbed import programs
from testbed.program import Program

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


class Prometheus(Program):
    """Prometheus on loopback, and its API. By default it scrapes the exporter at its default port.

    While it does not answer yet, it has no rules, no targets and no samples.
    """

    def __init__(self, folder: Path, server_flags: Sequence[str] | None = None) -> None:
        chosen = flags(folder, _SCRAPE_EXPORTER) if server_flags is None else server_flags
        super().__init__((programs.find("prometheus"), *chosen), folder / "prometheus.log")

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its `name`, `health`, `lastError` and `lastEvaluation`."""
        return [rule for group in self._api("rules").get("groups", []) for rule in group["rules"]]

    def alertmanagers(self) -> list[str]:
        """The addresses to which it sends alerts."""
        return [each["url"] for each in self._api("alertmanagers").get("activeAlertmanagers", [])]

    def query(self, expression: str) -> dict[frozenset[tuple[str, str]], float]:
        """The instant vector of an expression."""
        found = self._api("query", query=expression)
        return {
            frozenset(each["metric"].items()): float(each["value"][1]) for each in found.get("result", [])
        }

    def value(self, expression: str) -> float | None:
        """The value of an expression that has one or none."""
        found = self.query(expression)
        assert len(found) <= 1, found
        return next(iter(found.values()), None)

    def label_values(self, label: str, series: str) -> set[str]:
        """Every value that a label of a series has had."""
        found = self._api(f"label/{label}/values", **{"match[]": series})
        return set(found.get("values", []))

    def targets(self) -> list[dict[str, Any]]:
        """Every target with its `health`, `lastError` and more."""
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
