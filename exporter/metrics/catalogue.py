"""Every metric, in the order of the page."""

from __future__ import annotations

from typing import Any, Final

from exporter.metrics.exporter_metrics import BUILD_INFO, EXPORTER_METRICS
from exporter.metrics.listener_histograms import HISTOGRAMS
from exporter.metrics.listener_metrics import GAUGES_AND_COUNTERS, INFO, THRESHOLDS
from exporter.metrics.metric import Metric
from exporter.metrics.namespace_metrics import NAMESPACE_METRICS
from exporter.metrics.setting_metrics import SETTING_METRICS
from exporter.metrics.source_metrics import SOURCE_METRICS

# Their lines are kept from one page to the next (listener_lines.py).
LISTENER_METRICS: Final[tuple[Metric[Any, Any], ...]] = (
    *GAUGES_AND_COUNTERS,
    *THRESHOLDS,
    INFO,
    *HISTOGRAMS,
)
# These are made anew for each page (families.py).
OTHER_METRICS: Final[tuple[Metric[Any, Any], ...]] = (
    *NAMESPACE_METRICS,
    *SETTING_METRICS,
    BUILD_INFO,
    *SOURCE_METRICS,
    *EXPORTER_METRICS,
)
CATALOGUE: Final = (*LISTENER_METRICS, *OTHER_METRICS)
