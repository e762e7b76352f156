"""The field settings in the JSON of a panel: defaults, overrides, thresholds and value mappings."""

from __future__ import annotations

from tests.deploy.dashboard.file import Json


def of_query(panel: Json, reference: str) -> Json:
    """The settings of the series of one query."""
    return _of(panel, "byFrameRefID", reference)


def of_column(panel: Json, title: str) -> Json:
    """The settings of one column of a table."""
    return _of(panel, "byName", title)


def threshold_colour(settings: Json, value: float) -> str:
    """The colour of the highest threshold that a value reaches."""
    reached: list[str] = [
        step["color"]
        for step in settings["thresholds"]["steps"]
        if step["value"] is None or value >= step["value"]
    ]
    return reached[-1]


def mapped_value(settings: Json, value: float) -> tuple[str, str] | None:
    """The text and the colour that a value is mapped to, None where it is not mapped."""
    for mapping in settings.get("mappings", []):
        if found := mapping["options"].get(f"{value:g}"):
            return found["text"], found["color"]
    return None


def _of(panel: Json, kind: str, name: str) -> Json:
    defaults = panel["fieldConfig"]["defaults"]
    found = {key: value for key, value in defaults.items() if key != "custom"}
    found |= {f"custom.{key}": value for key, value in defaults.get("custom", {}).items()}
    for override in panel["fieldConfig"]["overrides"]:
        if override["matcher"] == {"id": kind, "options": name}:
            found |= {each["id"]: each["value"] for each in override["properties"]}
    return found
