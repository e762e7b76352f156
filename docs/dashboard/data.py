"""What Prometheus answers to the queries of a panel, over the time that the picture shows."""

from __future__ import annotations

from dataclasses import dataclass

from docs.dashboard import settings
from tests.deploy.dashboard.file import Json, marks
from tests.deploy.dashboard.grafana import Choice, legend, table
from tests.deploy.dashboard.prometheus import Prometheus, Series


@dataclass(frozen=True, slots=True)
class Drawn:
    """One line of a graph: its name, how it looks, and its values by time."""

    name: str
    look: Json
    values: dict[float, float]


@dataclass(frozen=True, slots=True)
class Mark:
    """From when to when something was the case, as annotations show it."""

    colour: str
    begin: float
    end: float


@dataclass(frozen=True, slots=True)
class Data:
    """A Prometheus, what is chosen on the dashboard, and the time range, in seconds since 1970."""

    server: Prometheus
    choice: Choice
    begin: float
    end: float

    def lines(self, panel: Json) -> list[Drawn]:
        """The lines of a graph."""
        return [
            Drawn(legend(target, series), settings.of_query(panel, target["refId"]), series.values)
            for target in panel["targets"]
            for series in self._ranged(target["expr"], step=1)
        ]

    def number(self, panel: Json) -> float:
        """The number of a stat."""
        (found,) = self.server.query(self.choice.fill(panel["targets"][0]["expr"]), self.end)
        return found.last

    def table(self, panel: Json) -> list[dict[str, object]]:
        """The lines of a table, sorted by the figures that it says."""
        (order,) = panel["options"]["sortBy"]
        found = table(self.server, self.choice, panel, self.end)
        return sorted(found, key=lambda line: float(str(line[order["displayName"]])), reverse=order["desc"])

    def buckets(self, panel: Json, step: float) -> dict[str, dict[float, float]]:
        """Observations by the end of the bucket, each bucket without those below, and by time."""
        found = self._ranged(panel["targets"][0]["expr"], step)
        found.sort(key=lambda series: float(series.labels["le"]))
        below: dict[float, float] = {}
        alone = {}
        for series in found:
            alone[series.labels["le"]] = {
                time: max(0.0, value - below.get(time, 0.0)) for time, value in series.values.items()
            }
            below = series.values
        return alone

    def marks(self) -> list[Mark]:
        """Everything that annotations show."""
        return [
            Mark(annotation["iconColor"], *span)
            for annotation, query in zip(
                self.choice.dashboard["annotations"]["list"], marks(self.choice.dashboard), strict=True
            )
            for span in _spans(self._ranged(query.expression, step=1))
        ]

    def _ranged(self, expression: str, step: float) -> list[Series]:
        return self.server.query_range(self.choice.fill(expression), self.begin, self.end, step)


def _spans(found: list[Series]) -> list[tuple[float, float]]:
    """When any of them was above 0, as long as it was without a gap."""
    times = sorted({time for series in found for time, value in series.values.items() if value > 0})
    spans: list[tuple[float, float]] = []
    for time in times:
        if spans and time - spans[-1][1] <= 1.5:  # noqa: PLR2004  (half a step is no gap)
            spans[-1] = (spans[-1][0], time)
        else:
            spans.append((time, time))
    return spans
