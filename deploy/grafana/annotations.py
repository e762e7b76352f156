"""Marks on every graph: when an exporter started or read its configuration, and when alerts fired."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import AnnotationQuery

from deploy.grafana import queries
from deploy.grafana.variables import PROMETHEUS

_STEP: Final = "15s"


@dataclass(frozen=True, slots=True)
class Mark(Builder[AnnotationQuery]):
    """One kind of mark: wherever `expression` is above 0."""

    name: str
    expression: str
    colour: str
    text: str

    def build(self) -> AnnotationQuery:
        """What the dashboard keeps of it."""
        return _PrometheusAnnotation(self)


class _PrometheusAnnotation(AnnotationQuery):
    """An annotation with what the Prometheus data source reads of it, which the SDK does not know."""

    def __init__(self, mark: Mark) -> None:
        super().__init__(name=mark.name, datasource=PROMETHEUS, icon_color=mark.colour, expr=mark.expression)
        self._text = mark.text

    def to_json(self) -> dict[str, object]:
        """As saved by Grafana: of older ones the expression, of newer ones the target is asked for."""
        return super().to_json() | {
            "step": _STEP,
            "target": {"refId": "Anno", "expr": self.expr, "interval": _STEP},
            "titleFormat": self.name,
            "textFormat": self._text,
        }


def marks() -> list[Builder[AnnotationQuery]]:
    """All kinds of marks; those that there are none of are 0."""
    started = queries.of_exporters("process_start_time_seconds")
    read = queries.of_exporters("listen_queue_exporter_config_last_reload_success_timestamp_seconds")
    alerts = queries.of_exporters("ALERTS", 'alertname=~"ListenQueue.+"', 'alertstate="firing"')
    return [
        Mark(
            "Exporter started",
            queries.ours(f"changes({started}[$__rate_interval])"),
            "blue",
            "{{instance}}",
        ),
        Mark("Configuration read", f"changes({read}[$__rate_interval])", "purple", "{{instance}}"),
        Mark(
            "Alert",
            f"{alerts} or vector(0)",
            "red",
            "{{alertname}} {{process}} {{address}} {{port}} {{netns}} {{instance}}",
        ),
    ]
