"""What the log says of accept queues that are full, or beyond their critical threshold."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Final, Self

from exporter.config.model import Severity
from exporter.sampling.history.accept import FULL
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.waiting_clients import WaitingClient

# Thousands of queues may be full.
_REPORT_SECONDS: Final = 0.5
# A queue that is full again before that has not cleared: clients that are refused try again after a second,
# then after two and four (tcp(7), tcp_syn_retries).
_CLEAR_SECONDS: Final = 10.0
# A listener is told so much later at most, with its clients: they are known with the next answer of source
# oldest_wait, which asks once a second.
_CLIENTS_SECONDS: Final = 1.5

log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Report:
    """One queue from the first sample beyond a level on. Times are monotonic seconds."""

    began: float
    # The seconds in which the listener was full, when the report began and now.
    full_since: float
    full_until: float
    # Whether it exceeds a level, and when it did so last.
    exceeded: bool
    exceeded_at: float
    # When it was first beyond the highest level that it reached.
    level_at: float
    peak_length: int = 0
    peak_ratio: float = 0.0
    clients: tuple[WaitingClient, ...] = ()
    told_critical: bool = False
    told_full: bool = False

    @classmethod
    def begin(cls, now: float, full_seconds: float) -> Self:
        """Return that of a queue that is beyond a level since now."""
        return cls(
            began=now,
            full_since=full_seconds,
            full_until=full_seconds,
            exceeded=True,
            exceeded_at=now,
            level_at=now,
        )

    def may_learn_clients(self, now: float) -> bool:
        """Tell whether they may still become known."""
        return not self.clients and self.exceeded_at == now and now - self.level_at < _CLIENTS_SECONDS


class QueueReport:
    """Tells when a queue becomes critical, when it becomes full, and once when it has been neither for 10 s.

    The sampling thread alone calls it.
    """

    def __init__(self) -> None:
        self._reports: dict[ListenerState, _Report] = {}
        self._report_at = 0.0

    def note(self, state: ListenerState) -> None:
        """Take what the newest sample has changed in the accept queue of a listener."""
        accept, report = state.accept, self._reports.get(state)
        if state.critical_or_full():
            if report is None:
                report = _Report.begin(accept.sampled, accept.full_seconds() or 0.0)
                self._reports[state] = report
                state.observe_clients(())
            if (accept.ratio or 0.0) >= FULL > report.peak_ratio:
                report.level_at = accept.sampled
                report.clients = ()
                state.observe_clients(())
            report.exceeded = True
            report.peak_length = max(report.peak_length, accept.length or 0)
            report.peak_ratio = max(report.peak_ratio, accept.ratio or 0.0)
        elif report is not None and report.exceeded:
            report.exceeded, report.exceeded_at = False, accept.sampled

    def report(self, now: float) -> None:
        """Write what there is to tell; to be called often, it looks twice a second."""
        if now < self._report_at:
            return
        self._report_at = now + _REPORT_SECONDS
        for state, report in list(self._reports.items()):
            if state.critical_or_full():
                report.exceeded_at = now
                report.clients = state.clients or report.clients
            # Of a folded listener, that of the real port or name is told.
            if state.published_as().published(now):
                # A listener that has ended tells it no more.
                report.full_until = state.accept.full_seconds() or report.full_until
                if state.syn_recv is None or not report.may_learn_clients(now):
                    _tell(state, report)
            over = now - report.exceeded_at
            if (over and not report.told_critical and not report.told_full) or over >= _CLEAR_SECONDS:
                del self._reports[state]
                state.observe_clients(())
                _tell_end(state, report)


def _tell(state: ListenerState, report: _Report) -> None:
    full = report.peak_ratio >= FULL
    if full and not report.told_full:
        report.told_full = True
        log.warning("accept queue is full", extra={"fields": _fields(state, report)})
    elif not full and not report.told_critical and state.accept.active(Severity.CRITICAL):
        report.told_critical = True
        log.warning("accept queue is critical", extra={"fields": _fields(state, report)})


def _tell_end(state: ListenerState, report: _Report) -> None:
    if report.told_full or report.told_critical:
        times = {
            "lasted": f"{report.exceeded_at - report.began:.1f}s",
            "full": f"{report.full_until - report.full_since:.2f}s",
        }
        log.info("accept queue has cleared", extra={"fields": _fields(state, report) | times})


def _fields(state: ListenerState, report: _Report) -> dict[str, str | int]:
    key = state.key()
    named = {**key._asdict(), "process": state.owner.process if state.owner else ""}
    limit = state.group.limit
    clients = ", ".join(f"{each.address} ({each.waiting})" for each in report.clients)
    return {
        **{name: value for name, value in named.items() if value},
        "length": report.peak_length,
        **({} if limit is None else {"backlog": limit}),
        **({"clients": clients} if clients else {}),
    }
