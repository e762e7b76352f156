"""VictoriaMetrics, which scrapes the exporter, and vmalert, which evaluates rules over what it has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from testbed import programs
from testbed.prometheus_api import PrometheusApi

_SCRAPE_EXPORTER = """\
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: exporter
    static_configs: [{targets: ["127.0.0.1:10511"]}]
"""


class VictoriaMetrics(PrometheusApi):
    """One server on loopback, with its data in `folder`. It scrapes the exporter at its default port."""

    port = 8428

    def __init__(self, folder: Path) -> None:
        config = folder / "scrape.yml"
        config.write_text(_SCRAPE_EXPORTER)
        flags = (
            f"-promscrape.config={config}",
            f"-storageDataPath={folder / 'victoria-metrics'}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            # Else what is younger than half a minute is not in the answers.
            "-search.latencyOffset=0s",
            "-memory.allowedBytes=256MB",
        )
        super().__init__((programs.find("victoria-metrics"), *flags), folder / "victoria-metrics.log")


class Vmalert(PrometheusApi):
    """vmalert on loopback, which evaluates the rules of these files each second, and notifies nobody."""

    port = 8880

    def __init__(self, folder: Path, rules: Sequence[Path]) -> None:
        storage = f"http://127.0.0.1:{VictoriaMetrics.port}"
        flags = (
            *(f"-rule={file}" for file in rules),
            f"-datasource.url={storage}",
            f"-remoteWrite.url={storage}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-evaluationInterval=1s",
            "-rule.evalDelay=0s",
            "-notifier.blackhole",
        )
        super().__init__((programs.find("vmalert"), *flags), folder / "vmalert.log")
