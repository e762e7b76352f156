"""A program that answers the HTTP API of Prometheus."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from typing import Any

import pytest

from testbed.program import Program


class PrometheusApi(Program):
    """Such a program at `port` of loopback. While it does not answer yet, it has no rules and no samples."""

    port: int

    def rules(self) -> list[dict[str, Any]]:
        """Every rule with its `name`, `health`, `lastError` and `lastEvaluation`."""
        return [rule for group in self._api("rules").get("groups", []) for rule in group["rules"]]

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

    def _api(self, path: str, **parameters: str) -> dict[str, Any]:
        self.expect_running()
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
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
