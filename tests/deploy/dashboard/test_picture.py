"""docs/dashboard.svg is a picture of the committed dashboard."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from docs.dashboard import page
from docs.dashboard.panel_data import PanelData
from docs.dashboard.units import format_value
from testbed.waiting import until
from tests.deploy.dashboard import file
from tests.deploy.dashboard.grafana import Choice, options
from tests.deploy.dashboard.hosts import EXPORTERS, idle_host
from tests.deploy.dashboard.prometheus import Server

PICTURE = file.ROOT / "docs/dashboard.svg"
MAX_BYTES = 300_000
TEXT = "{http://www.w3.org/2000/svg}text"


def test_it_says_how_it_was_drawn() -> None:
    assert page.LABEL in _texts(PICTURE.read_text())
    assert PICTURE.stat().st_size < MAX_BYTES


def test_it_shows_the_titles_columns_and_variables_of_the_dashboard() -> None:
    """`make picture` was run after a title, a column or a variable changed."""
    dashboard = file.load()
    wanted = [dashboard["title"], *(each["label"] for each in dashboard["templating"]["list"])]
    for row, panels in file.rows(dashboard):
        wanted.append(row["title"])
        wanted += [] if row["collapsed"] else [panel["title"] for panel in panels]
    columns = file.panel(dashboard, "Listeners")["transformations"][1]["options"]["renameByName"]
    # The host of the picture has no label `cluster`.
    wanted += set(columns.values()) - {"Cluster", "Listener", "Utilization"}
    shown = _texts(PICTURE.read_text())
    assert set(wanted) <= shown
    assert "Utilization ↓" in shown
    assert "Listener" in shown, "as the name of a variable"


@pytest.mark.netns
def test_it_can_be_drawn_from_the_answers_of_prometheus(tmp_path: Path) -> None:
    dashboard = file.load()
    with idle_host(tmp_path) as (server, _):
        fullest = until(partial(options, server, Choice(dashboard), "listener"), bool)[0]
        draw = partial(_draw_last_seconds, server, Choice(dashboard, {"listener": [fullest]}, "4s"))
        # This panel has a rate over several scrapes, so it is the last to have an answer.
        (full,) = file.panel(dashboard, "Share of time full")["targets"]
        until(
            partial(server.query, Choice(dashboard, {"listener": [fullest]}, "4s").fill(full["expr"])),
            bool,
        )
        shown = until(draw, lambda texts: len(_waiting(texts)) == len(EXPORTERS))
    assert {panel["title"] for panel in file.panels(dashboard) if panel["type"] == "stat"} <= shown
    assert all(fullest in each for each in _waiting(shown))


def _draw_last_seconds(server: Server, choice: Choice) -> set[str]:
    end = time.time()
    return _texts(page.draw(PanelData(server, choice, end - 5, end)))


def _waiting(texts: set[str]) -> list[str]:
    """The names of the lines with the length of the queue, one for each exporter."""
    return [text for text in texts if text.startswith("waiting · ")]


@pytest.mark.parametrize(
    ("value", "unit", "decimals", "wanted"),
    [
        (0.625, "percentunit", 0, "62%"),
        (0.0118, "percentunit", 1, "1.2%"),
        (0.164, "s", None, "164 ms"),
        (49.24, "s", 1, "49.2 s"),
        (90.0, "s", None, "1.5 mins"),
        (0.0, "s", None, "0 s"),
        (4096.0, "none", 0, "4096"),
        (4096.0, "short", 1, "4.1 K"),
        (12.5, "pps", None, "12.5 p/s"),
        (46137344.0, "bytes", None, "44 MiB"),
    ],
)
def test_values_have_their_units(value: float, unit: str, decimals: int | None, wanted: str) -> None:
    assert format_value(value, unit, decimals) == wanted


def _texts(svg: str) -> set[str]:
    """Every text of a picture; fails where it is no XML."""
    return {each.text or "" for each in ET.fromstring(svg).iter(TEXT)}  # noqa: S314  (our own)
