"""Real servers for the dashboard: several exporters, rules, and queries over a time range."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from testbed import programs, victoria_metrics
from testbed.program import Program
from testbed.prometheus import flags

_GLOBAL = "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
_RULES = """\
global: {{scrape_interval: 1s, scrape_timeout: 1s, evaluation_interval: 1s}}
rule_files: [{rules}]
"""
_EXPORTERS = """\
scrape_configs:
  - job_name: listen-queue
    static_configs:
"""
_TARGET = """\
      - targets: ["127.0.0.1:{port}"]
        labels: {labels}
"""
# A target of another job, which the dashboard must not show as an exporter.
_ITSELF = """\
  - job_name: prometheus
    static_configs: [{targets: ["127.0.0.1:9090"]}]
"""


@dataclass(frozen=True, slots=True)
class Series:
    """Labels, and values by time in seconds since 1970; an instant query has one value."""

    labels: dict[str, str]
    values: dict[float, float]

    @property
    def last(self) -> float:
        """The newest value."""
        return self.values[max(self.values)]


class PrometheusError(Exception):
    """Prometheus refused a query; the text is that of its answer."""


class Server(Program):
    """A server on loopback that answers as Prometheus does."""

    port = 9090

    @property
    def _address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> bool:
        """Whether it answers queries yet."""
        try:
            urllib.request.urlopen(f"{self._address}/-/ready", timeout=10).close()  # noqa: S310  (our own)
        except (urllib.error.URLError, ConnectionError):
            return False
        return True

    def query(self, expression: str, time: float | None = None) -> list[Series]:
        """The instant vector of an expression, now or at another time, in the order of Prometheus."""
        at = {} if time is None else {"time": f"{time:.3f}"}
        found = self._api("query", query=expression, **at)["result"]
        return [Series(each["metric"], _numbers([each["value"]])) for each in found]

    def query_range(self, expression: str, start: float, end: float, step: float) -> list[Series]:
        """The values of an expression from `start` to `end`, `step` seconds apart."""
        times = {"start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
        found = self._api("query_range", query=expression, **times)["result"]
        return [Series(each["metric"], _numbers(each["values"])) for each in found]

    def label_values(self, label: str, series: str) -> list[str]:
        """Every value that a label of these series has had, sorted."""
        values: list[str] = self._api(f"label/{label}/values", **{"match[]": series})
        return values

    def formatted(self, expression: str) -> str:
        """An expression as Prometheus formats it. Raises PrometheusError where it is not PromQL."""
        text: str = self._api("format_query", query=expression)
        return text

    def _api(self, path: str, **parameters: str) -> Any:
        self.expect_running()
        url = f"{self._address}/api/v1/{path}"
        asked = urllib.parse.urlencode(parameters)
        # By POST, as Grafana does: a query may be longer than a URL. The values of labels need GET.
        if path.startswith("label/"):
            request = urllib.request.Request(f"{url}?{asked}")  # noqa: S310  (our own)
        else:
            request = urllib.request.Request(url, asked.encode())  # noqa: S310  (our own)
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310  (our own)
                return json.load(answer)["data"]
        except urllib.error.HTTPError as error:
            raise PrometheusError(f"{parameters}: {error.read().decode()}") from error


class Prometheus(Server):
    """Prometheus with its data in `folder`, which scrapes exporters at these ports.

    Each is named by its label `instance`, or by `cluster`, a slash and that. `labels` are further labels of
    the targets, as service discovery in a cluster adds them.
    """

    def __init__(
        self,
        folder: Path,
        exporters: Mapping[str, int],
        rules: str = "groups: []\n",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        rule_file = folder / "rules.yml"
        rule_file.write_text(rules)
        config = _RULES.format(rules=rule_file) + _scraped(exporters, labels) + _ITSELF
        super().__init__((programs.find("prometheus"), *flags(folder, config)), folder / "prometheus.log")


class VictoriaMetrics(Server):
    """VictoriaMetrics with its data in `folder`; it scrapes the same, and vmalert evaluates the rules."""

    port = victoria_metrics.PORT

    def __init__(
        self,
        folder: Path,
        exporters: Mapping[str, int],
        rules: str = "groups: []\n",
        labels: Mapping[str, str] | None = None,
    ) -> None:
        rule_file = folder / "rules.yml"
        rule_file.write_text(rules)
        options = victoria_metrics.flags(folder, _GLOBAL + _scraped(exporters, labels))
        super().__init__((programs.find("victoria-metrics"), *options), folder / "victoria-metrics.log")
        self._vmalert = victoria_metrics.Vmalert(folder, [rule_file])

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End both."""
        self._vmalert.__exit__(kind, error, traceback)
        super().__exit__(kind, error, traceback)


def _scraped(exporters: Mapping[str, int], labels: Mapping[str, str] | None) -> str:
    return _EXPORTERS + "".join(
        _TARGET.format(port=port, labels=json.dumps({**_named_by(name), **(labels or {})}))
        for name, port in exporters.items()
    )


def _named_by(name: str) -> dict[str, str]:
    cluster, _, instance = name.rpartition("/")
    return {"instance": instance, **({"cluster": cluster} if cluster else {})}


def _numbers(pairs: list[list[Any]]) -> dict[float, float]:
    return {float(time): float(value) for time, value in pairs}
