"""VictoriaMetrics, which scrapes the exporter, and vmalert, which evaluates rules over what it has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from testbed import programs
from testbed.prometheus_api import PrometheusApi

_SCRAPE_EXPORTER = """\
global: {scrape_interval: 1s, scrape_timeout: 1s}
scrape_configs:
  - job_name: exporter
    static_configs: [{targets: ["127.0.0.1:10511"]}]
"""


PORT: Final = 8428


def flags(folder: Path, config: str) -> list[str]:
    """The flags of a server on loopback, with its data and what it scrapes, in this text, in `folder`."""
    file = folder / "scrape.yml"
    file.write_text(config)
    return [
        f"-promscrape.config={file}",
        f"-storageDataPath={folder / 'victoria-metrics'}",
        f"-httpListenAddr=127.0.0.1:{PORT}",
        # Else what is younger than half a minute is not in the answers.
        "-search.latencyOffset=0s",
        "-memory.allowedBytes=256MB",
    ]


class VictoriaMetrics(PrometheusApi):
    """One server on loopback, with its data in `folder`. It scrapes the exporter at its default port."""

    port = PORT

    def __init__(self, folder: Path) -> None:
        options = flags(folder, _SCRAPE_EXPORTER)
        super().__init__((programs.find("victoria-metrics"), *options), folder / "victoria-metrics.log")


class Vmalert(PrometheusApi):
    """vmalert on loopback, which evaluates the rules of these files each second, and notifies nobody."""

    port = 8880

    def __init__(self, folder: Path, rules: Sequence[Path]) -> None:
        storage = f"http://127.0.0.1:{PORT}"
        options = (
            *(f"-rule={file}" for file in rules),
            f"-datasource.url={storage}",
            f"-remoteWrite.url={storage}",
            f"-httpListenAddr=127.0.0.1:{self.port}",
            "-evaluationInterval=1s",
            "-rule.evalDelay=0s",
            "-notifier.blackhole",
        )
        super().__init__((programs.find("vmalert"), *options), folder / "vmalert.log")
