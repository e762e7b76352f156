"""What Grafana does with a dashboard before it draws: variables, legends, tables.

After the Prometheus data source and the transformations `merge` and `organize` of Grafana
(packages/grafana-prometheus/src/escaping.ts, packages/grafana-data/src/transformations).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.deploy.dashboard.file import Json, variable
from tests.deploy.dashboard.prometheus import Series, Server

ALL = "$__all"

_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_LABEL_VALUES = re.compile(r"label_values\((.+),\s*(\w+)\)")
_QUERY_RESULT = re.compile(r"query_result\((.+)\)")
_METACHARACTERS = re.compile(r"[$^*{}\[\]+?.()|]")


@dataclass(frozen=True, slots=True)
class Choice:
    """The values of the dashboard's variables; All of those that are not named here."""

    dashboard: Json
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rate_interval: str = "10s"

    def fill(self, text: str) -> str:
        """A query with the values of the variables, as Prometheus gets it."""
        return _VARIABLE.sub(lambda found: self._value(found[1] or found[2], found[0]), text)

    def _value(self, name: str, text: str) -> str:
        if name == "__rate_interval":
            return self.rate_interval
        # Grafana does not replace other names, such as the groups of a regular expression.
        if name not in {each["name"] for each in self.dashboard["templating"]["list"]}:
            return text
        asked = variable(self.dashboard, name)
        chosen = self.values.get(name, [ALL])
        if list(chosen) == [ALL]:
            assert asked["includeAll"], f"{name} has no All, and nothing is chosen"
            return str(asked["allValue"])
        escaped = [_escaped(value) for value in chosen]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def options(server: Server, choice: Choice, name: str) -> list[str]:
    """The options of a variable, in its order."""
    asked = variable(choice.dashboard, name)
    query = choice.fill(asked["query"])
    if found := _LABEL_VALUES.fullmatch(query):
        return server.label_values(found[2], found[1])
    found = _QUERY_RESULT.fullmatch(query)
    assert found, query
    pattern = re.compile(asked["regex"].removeprefix("/").removesuffix("/"))
    texts = (_as_text(series) for series in server.query(found[1]))
    return [match[1] for text in texts if (match := pattern.search(text))]


def legend(target: Json, series: Series) -> str:
    """The name of a series in a legend."""
    return _LABEL.sub(lambda label: series.labels.get(label[1], ""), target["legendFormat"])


def table(server: Server, choice: Choice, panel: Json, time: float | None = None) -> list[dict[str, object]]:
    """The rows of a table by column title, in the order of Prometheus' answers.

    A title that `organize` has and no query returns is missing in every row.
    """
    rows: list[dict[str, object]] = []
    frames = [_frame(server, choice, target, time) for target in panel["targets"]]
    frames = [frame for frame in frames if frame]
    common = set.intersection(*(set(frame[0]) for frame in frames)) if frames else set()
    for frame in frames:
        for values in frame:
            for row in rows:
                if all(row.get(name) == values[name] for name in common) and _fits(row, values):
                    row.update(values)
                    break
            else:
                rows.append(dict(values))
    merge, organize = panel["transformations"]
    assert merge["id"] == "merge"
    assert organize["id"] == "organize"
    return [_organized(row, organize["options"]) for row in rows]


def _frame(server: Server, choice: Choice, target: Json, time: float | None) -> list[dict[str, object]]:
    assert target["format"] == "table"
    assert target["instant"]
    found = server.query(choice.fill(target["expr"]), time)
    names = {name for series in found for name in series.labels}
    # Every row of a frame has all its columns; a label that a series does not have is empty.
    return [
        {
            "Time": 0,
            **{name: series.labels.get(name, "") for name in names},
            f"Value #{target['refId']}": series.last,
        }
        for series in found
    ]


def _fits(row: Mapping[str, object], values: Mapping[str, object]) -> bool:
    return all(row.get(name, value) == value for name, value in values.items())


def _organized(row: dict[str, object], settings: Json) -> dict[str, object]:
    order, hidden, titles = settings["indexByName"], settings["excludeByName"], settings["renameByName"]
    names = sorted(
        (name for name in row if not hidden.get(name)), key=lambda name: order.get(name, len(order))
    )
    return {titles.get(name, name): row[name] for name in names}


def _as_text(series: Series) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in series.labels.items() if name != "__name__")
    return f"{series.labels.get('__name__', '')}{{{labels}}} {series.last:g} {max(series.values) * 1000:.0f}"


def _escaped(value: str) -> str:
    r"""For a pattern within double quotes: a point becomes `\\.`, a backslash becomes four."""
    return _METACHARACTERS.sub(r"\\\\\g<0>", value.replace("\\", "\\\\\\\\"))
