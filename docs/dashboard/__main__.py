"""Run the example host, send the queries of the dashboard to its Prometheus, and draw the answers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from docs.dashboard import example_host, page
from docs.dashboard.panel_data import PanelData
from tests.deploy.dashboard.file import load
from tests.deploy.dashboard.grafana import Choice, options

PICTURE: Final = Path(__file__).resolve().parents[1] / "dashboard.svg"
# Grafana makes it four scrape intervals.
_RATE_INTERVAL: Final = "4s"
# Without the first seconds, in which the exporter and Prometheus start.
_SHOWN_SECONDS: Final = example_host.SECONDS - 20


def main() -> None:
    """Draw the picture."""
    dashboard = load()
    with example_host.run() as server:
        now = time.time()
        # As Grafana does where nothing was chosen.
        fullest = options(server, Choice(dashboard), "listener")[:1]
        choice = Choice(dashboard, {"listener": fullest}, _RATE_INTERVAL)
        PICTURE.write_text(page.draw(PanelData(server, choice, now - _SHOWN_SECONDS, now)))


if __name__ == "__main__":
    main()
