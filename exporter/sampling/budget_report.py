"""What the log says of a budget that is not kept."""

from __future__ import annotations

import logging
from typing import Final

from exporter.sampling.cpu_budget import WINDOW_SECONDS, CpuWindow

# What a burst has used, as of new containers, has left the window by then.
_LASTING_SECONDS: Final = WINDOW_SECONDS
# It is told no more often that a budget is exceeded.
_PAUSE_SECONDS: Final = 600.0

log = logging.getLogger(__name__)


class BudgetReport:
    """Tells once that the budget is exceeded, and once that it is kept again. Times are monotonic seconds."""

    def __init__(self) -> None:
        # Since when it is exceeded without a break, None while it is not.
        self._since: float | None = None
        self._told = False
        self._told_at: float | None = None

    def note(self, window: CpuWindow, longest_interval: float, now: float) -> None:
        """Take what was used in the last 30 seconds, and the longest interval in force, in seconds."""
        if not window.exceeded:
            self._since = None
        elif self._since is None:
            self._since = now
        if self._told:
            # What is told to have ended must not begin again with the next sample.
            if window.used <= window.budget:
                self._told = False
                log.info("cpu_budget is kept again", extra={"fields": _fields(window, longest_interval)})
        elif self._lasts(now) and self._may_be_told(now):
            self._told = True
            self._told_at = now
            log.warning(
                "cpu_budget is exceeded: raise sampling.cpu_budget, exclude network namespaces or scrape "
                "less often; docs/runbooks.md says more under ListenQueueExporterOverBudget",
                extra={"fields": _fields(window, longest_interval)},
            )

    def _lasts(self, now: float) -> bool:
        return self._since is not None and now - self._since >= _LASTING_SECONDS

    def _may_be_told(self, now: float) -> bool:
        return self._told_at is None or now - self._told_at >= _PAUSE_SECONDS


def _fields(window: CpuWindow, longest_interval: float) -> dict[str, str]:
    return {
        "used": _percentage(window.used),
        "cpu_budget": _percentage(window.budget),
        "longest_interval": f"{longest_interval:.10g}s",
    }


def _percentage(share: float) -> str:
    return f"{share * 100:.3g}%"
