"""The committed dashboard, read as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
FILE = ROOT / "deploy/grafana/listen-queue.json"

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Query:
    """An expression of the dashboard, and its panel and query or its annotation."""

    place: str
    expression: str
    ranged: bool = True


def load() -> Json:
    """The dashboard."""
    read: Json = json.loads(FILE.read_text())
    return read


def rows(dashboard: Json) -> Iterator[tuple[Json, list[Json]]]:
    """Every row with its panels: those of a collapsed row are within it, others follow it."""
    row: Json | None = None
    panels: list[Json] = []
    for panel in dashboard["panels"]:
        if panel["type"] != "row":
            panels.append(panel)
            continue
        if row is not None:
            yield row, panels
        row, panels = panel, list(panel["panels"])
    assert row is not None
    yield row, panels


def panels(dashboard: Json) -> list[Json]:
    """Every panel but the rows."""
    return [panel for _, inside in rows(dashboard) for panel in inside]


def panel(dashboard: Json, title: str) -> Json:
    """The one panel of this title."""
    found: list[Json] = [each for each in panels(dashboard) if each["title"] == title]
    assert len(found) == 1, title
    return found[0]


def variable(dashboard: Json, name: str) -> Json:
    """A variable by its name."""
    found: list[Json] = [each for each in dashboard["templating"]["list"] if each["name"] == name]
    assert len(found) == 1, name
    return found[0]


def targets(dashboard: Json) -> list[Query]:
    """The queries of all panels."""
    return [
        Query(f"{each['title']} / {target['refId']}", target["expr"], bool(target.get("range")))
        for each in panels(dashboard)
        for target in each["targets"]
    ]


def annotation_queries(dashboard: Json) -> list[Query]:
    """The queries of all annotations."""
    return [Query(f"annotation {each['name']}", each["expr"]) for each in dashboard["annotations"]["list"]]
