"""Make the scene, ask what the dashboard asks, and draw the answers."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

from docs.dashboard import page, scene
from docs.dashboard.data import Data
from tests.deploy.dashboard.file import load
from tests.deploy.dashboard.grafana import Choice, options

PICTURE: Final = Path(__file__).resolve().parents[1] / "dashboard.svg"
# Four scrapes, as Grafana would have it.
_RATE_INTERVAL: Final = "4s"
# The first seconds, in which not everything runs yet, are left out.
_SHOWN_SECONDS: Final = scene.SECONDS - 20


def main() -> None:
    """Draw the picture."""
    dashboard = load()
    with scene.running() as server:
        now = time.time()
        # What Grafana chooses where nobody has chosen anything.
        fullest = options(server, Choice(dashboard), "listener")[:1]
        choice = Choice(dashboard, {"listener": fullest}, _RATE_INTERVAL)
        PICTURE.write_text(page.draw(Data(server, choice, now - _SHOWN_SECONDS, now)))


if __name__ == "__main__":
    main()
