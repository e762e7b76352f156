"""Annotations of every graph: starts of exporters, readings of the configuration, and alerts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from grafana_foundation_sdk.cog.builder import Builder
from grafana_foundation_sdk.models.dashboard import AnnotationQuery

from deploy.grafana import queries
from deploy.grafana.variables import PROMETHEUS

_STEP: Final = "15s"
# Without the cluster: in annotations Grafana writes the name of a label that there is not.
_EXPORTER: Final = "{{instance}}"


@dataclass(frozen=True, slots=True)
class Annotation(Builder[AnnotationQuery]):
    """Annotates every time at which `expression` is above 0."""

    name: str
    expression: str
    colour: str
    text: str

    def build(self) -> AnnotationQuery:
        """Build the annotation with what the Prometheus data source needs."""
        return _PrometheusAnnotation(self)


class _PrometheusAnnotation(AnnotationQuery):
    """An annotation with the fields of the Prometheus data source, which the SDK does not have."""

    def __init__(self, annotation: Annotation) -> None:
        super().__init__(
            name=annotation.name,
            datasource=PROMETHEUS,
            icon_color=annotation.colour,
            expr=annotation.expression,
        )
        self._text = annotation.text

    def to_json(self) -> dict[str, object]:
        """As Grafana saves it: older versions read `expr`, newer ones `target`."""
        return super().to_json() | {
            "step": _STEP,
            "target": {"refId": "Anno", "expr": self.expr, "interval": _STEP},
            "titleFormat": self.name,
            "textFormat": self._text,
        }


def all_annotations() -> list[Builder[AnnotationQuery]]:
    """All annotations; an expression is 0 where there is nothing to annotate."""
    started = queries.of_exporters("process_start_time_seconds")
    read = queries.of_exporters("listen_queue_exporter_config_last_reload_success_timestamp_seconds")
    alerts = queries.of_exporters("ALERTS", 'alertname=~"ListenQueue.+"', 'alertstate="firing"')
    return [
        Annotation(
            "Exporter started",
            queries.exporters_only(f"changes({started}[$__rate_interval])"),
            "blue",
            _EXPORTER,
        ),
        Annotation("Configuration read", f"changes({read}[$__rate_interval])", "purple", _EXPORTER),
        Annotation(
            "Alert",
            f"{alerts} or vector(0)",
            "red",
            "{{alertname}} {{process}} {{address}} {{port}} {{netns}} " + _EXPORTER,
        ),
    ]
