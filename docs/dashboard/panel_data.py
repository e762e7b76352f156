"""What Prometheus answers to the queries of a panel, over the time range of the picture."""

from __future__ import annotations

from dataclasses import dataclass

from docs.dashboard import settings
from tests.deploy.dashboard.file import Json, annotation_queries
from tests.deploy.dashboard.grafana import Choice, legend, table
from tests.deploy.dashboard.prometheus import Series, Server


@dataclass(frozen=True, slots=True)
class GraphLine:
    """One line of a graph: its name in the legend, the settings of its query, and its values by time."""

    name: str
    settings: Json
    values: dict[float, float]


@dataclass(frozen=True, slots=True)
class Annotation:
    """A time span in which the query of an annotation was above 0."""

    colour: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class PanelData:
    """A Prometheus, the values of the dashboard's variables, and the time range, in seconds since 1970."""

    server: Server
    choice: Choice
    begin: float
    end: float

    def lines(self, panel: Json) -> list[GraphLine]:
        """The lines of a graph."""
        return [
            GraphLine(legend(target, series), settings.of_query(panel, target["refId"]), series.values)
            for target in panel["targets"]
            for series in self._query_range(target["expr"], step=1)
        ]

    def number(self, panel: Json) -> float:
        """The number of a stat."""
        (found,) = self.server.query(self.choice.fill(panel["targets"][0]["expr"]), self.end)
        return found.last

    def table(self, panel: Json) -> list[dict[str, object]]:
        """The rows of a table, sorted by the column that it is sorted by."""
        (order,) = panel["options"]["sortBy"]
        rows = table(self.server, self.choice, panel, self.end)
        return sorted(rows, key=lambda row: float(str(row[order["displayName"]])), reverse=order["desc"])

    def buckets(self, panel: Json, step: float) -> dict[str, dict[float, float]]:
        """Observations by the upper bound of the bucket and by time; each bucket without those below it."""
        found = self._query_range(panel["targets"][0]["expr"], step)
        found.sort(key=lambda series: float(series.labels["le"]))
        below: dict[float, float] = {}
        buckets = {}
        for series in found:
            buckets[series.labels["le"]] = {
                time: max(0.0, value - below.get(time, 0.0)) for time, value in series.values.items()
            }
            below = series.values
        return buckets

    def annotations(self) -> list[Annotation]:
        """The time spans of all annotations."""
        dashboard = self.choice.dashboard
        return [
            Annotation(annotation["iconColor"], *span)
            for annotation, query in zip(
                dashboard["annotations"]["list"],
                annotation_queries(dashboard),
                strict=True,
            )
            for span in _spans(self._query_range(query.expression, step=1))
        ]

    def _query_range(self, expression: str, step: float) -> list[Series]:
        return self.server.query_range(self.choice.fill(expression), self.begin, self.end, step)


def _spans(found: list[Series]) -> list[tuple[float, float]]:
    """The time spans in which any of the series was above 0."""
    times = sorted({time for series in found for time, value in series.values.items() if value > 0})
    spans: list[tuple[float, float]] = []
    for time in times:
        if spans and time - spans[-1][1] <= 1.5:  # noqa: PLR2004  (one step and half of one more)
            spans[-1] = (spans[-1][0], time)
        else:
            spans.append((time, time))
    return spans
