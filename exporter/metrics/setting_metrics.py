"""The thresholds of the configuration, as metrics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from exporter.config.model import DEFAULTS, Level, Unit
from exporter.metrics.context import ScrapeContext
from exporter.metrics.metric import Labels, Metric, Subject


def _levels(unit: Unit) -> Callable[[ScrapeContext], Iterator[tuple[Labels, Level]]]:
    def items(context: ScrapeContext) -> Iterator[tuple[Labels, Level]]:
        config = context.sampler.config
        by_rule = {DEFAULTS: config.defaults.thresholds} | {
            rule.name: rule.thresholds for rule in config.rules
        }
        for rule, thresholds in by_rule.items():
            for (queue, severity), level in thresholds.levels.items():
                if level.unit is unit:
                    yield {"rule": rule, "queue": queue, "severity": severity}, level

    return items


_SETTING_TITLE: Final = "The thresholds of the configuration"
_SETTING_LABELS: Final = ("rule", "queue", "severity")
_RATIO_SETTING: Final = Subject(_SETTING_TITLE, _SETTING_LABELS, _levels(Unit.RATIO))
_CONNECTIONS_SETTING: Final = Subject(_SETTING_TITLE, _SETTING_LABELS, _levels(Unit.CONNECTIONS))

SETTING_METRICS: Final = (
    Metric(
        _RATIO_SETTING,
        "listen_queue_threshold_ratio",
        "gauge",
        "Thresholds written in per cent; 1 is full.",
        lambda level: level.value,
    ),
    Metric(
        _CONNECTIONS_SETTING,
        "listen_queue_threshold_connections",
        "gauge",
        "Thresholds written in connections.",
        lambda level: level.value,
    ),
)
