"""What Grafana does with a dashboard before anything is drawn: variables, legends, tables.

After the Prometheus data source and the transformations `merge` and `organize` of Grafana
(packages/grafana-prometheus/src/escaping.ts, packages/grafana-data/src/transformations).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.deploy.dashboard.file import Json, variable
from tests.deploy.dashboard.prometheus import Prometheus, Series

ALL = "$__all"

_VARIABLE = re.compile(r"\$(\w+)|\$\{(\w+)\}")
_LABEL = re.compile(r"\{\{\s*(\w+)\s*\}\}")
_LABEL_VALUES = re.compile(r"label_values\((.+),\s*(\w+)\)")
_QUERY_RESULT = re.compile(r"query_result\((.+)\)")
_METACHARACTERS = re.compile(r"[$^*{}\[\]+?.()|]")


@dataclass(frozen=True, slots=True)
class Choice:
    """What is chosen at the top of a dashboard; all of what is not named here."""

    dashboard: Json
    values: Mapping[str, Sequence[str]] = field(default_factory=dict)
    rate_interval: str = "10s"

    def fill(self, text: str) -> str:
        """A query with everything that is chosen in it, as Prometheus gets it."""
        return _VARIABLE.sub(lambda found: self._value(found[1] or found[2], found[0]), text)

    def _value(self, name: str, written: str) -> str:
        if name == "__rate_interval":
            return self.rate_interval
        # Grafana leaves alone what is no variable, such as the groups of a pattern.
        if name not in {each["name"] for each in self.dashboard["templating"]["list"]}:
            return written
        asked = variable(self.dashboard, name)
        chosen = self.values.get(name, [ALL])
        if list(chosen) == [ALL]:
            assert asked["includeAll"], f"{name} has no All, and nothing is chosen"
            return str(asked["allValue"])
        escaped = [_escaped(value) for value in chosen]
        return escaped[0] if len(escaped) == 1 else f"({'|'.join(escaped)})"


def options(server: Prometheus, choice: Choice, name: str) -> list[str]:
    """What a variable offers, in its order."""
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


def table(
    server: Prometheus, choice: Choice, panel: Json, time: float | None = None
) -> list[dict[str, object]]:
    """The lines of a table by column title, in the order in which Prometheus answers.

    A title that `organize` names but no query brings is missing in every line.
    """
    lines: list[dict[str, object]] = []
    frames = [_frame(server, choice, target, time) for target in panel["targets"]]
    frames = [frame for frame in frames if frame]
    common = set.intersection(*(set(frame[0]) for frame in frames)) if frames else set()
    for frame in frames:
        for values in frame:
            for line in lines:
                if all(line.get(name) == values[name] for name in common) and _fits(line, values):
                    line.update(values)
                    break
            else:
                lines.append(dict(values))
    merge, organize = panel["transformations"]
    assert merge["id"] == "merge"
    assert organize["id"] == "organize"
    return [_organized(line, organize["options"]) for line in lines]


def _frame(server: Prometheus, choice: Choice, target: Json, time: float | None) -> list[dict[str, object]]:
    assert target["format"] == "table"
    assert target["instant"]
    found = server.query(choice.fill(target["expr"]), time)
    names = {name for series in found for name in series.labels}
    # Every line of a frame has all its columns; a label that a series lacks is empty.
    return [
        {
            "Time": 0,
            **{name: series.labels.get(name, "") for name in names},
            f"Value #{target['refId']}": series.last,
        }
        for series in found
    ]


def _fits(line: Mapping[str, object], values: Mapping[str, object]) -> bool:
    return all(line.get(name, value) == value for name, value in values.items())


def _organized(line: dict[str, object], settings: Json) -> dict[str, object]:
    order, hidden, titles = settings["indexByName"], settings["excludeByName"], settings["renameByName"]
    names = sorted(
        (name for name in line if not hidden.get(name)), key=lambda name: order.get(name, len(order))
    )
    return {titles.get(name, name): line[name] for name in names}


def _as_text(series: Series) -> str:
    labels = ",".join(f'{name}="{value}"' for name, value in series.labels.items() if name != "__name__")
    return f"{series.labels.get('__name__', '')}{{{labels}}} {series.last:g} {max(series.values) * 1000:.0f}"


def _escaped(value: str) -> str:
    r"""For a pattern within double quotes: a point becomes `\\.`, a backslash becomes four."""
    return _METACHARACTERS.sub(r"\\\\\g<0>", value.replace("\\", "\\\\\\\\"))
