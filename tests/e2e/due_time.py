"""When an alert is due: after the scrapes and evaluations that Prometheus has recorded, not after a time.

So the result does not depend on how fast the machine is: where a scrape or an evaluation is late, so may the
alert be.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.waiting import until
from tests.e2e.alerting_prometheus import AlertingPrometheus
from tests.integration.reference import Endpoint

_SOURCES = {"tcp": "inet", "unix": "unix"}


@dataclass(frozen=True, slots=True)
class DueTime:
    """Unix times: the queue was full, the first scrape that shows it, the first evaluation after it."""

    filled: float
    scraped: float
    evaluated: float

    def __str__(self) -> str:
        return (
            f"full at {self.filled:.3f}, in the scrape {self.scraped - self.filled:.3f} s later, "
            f"in the evaluation {self.evaluated - self.filled:.3f} s later"
        )


def due_time(prometheus: AlertingPrometheus, listener: Endpoint, filled: float) -> DueTime:
    """When the alert about a queue that was full from `filled` on must fire.

    Fails the test where the first scrape after a sample after `filled` does not show the queue full.
    """
    scraped, following = until(lambda: _scrapes_after(prometheus, listener, filled), _has_two)[:2]
    labels = ",".join(f'{name}="{value}"' for name, value in listener._asdict().items())
    ratios = _samples(prometheus, f"listen_queue_accept_utilization_ratio{{{labels}}}")
    assert ratios[scraped] == 1, f"{listener} was full at {filled}; scrapes had {ratios}"
    # A scrape begins when the one before is stored (scrape/scrape.go), so an evaluation after it sees that.
    # The recording rule of the alerts' own group has a sample for each evaluation.
    evaluations = until(
        lambda: [at for at in _samples(prometheus, "listen_queue:up") if at >= following], bool
    )
    return DueTime(filled, scraped, evaluations[0])


def _scrapes_after(prometheus: AlertingPrometheus, listener: Endpoint, filled: float) -> list[float]:
    """The times of the scrapes of a sample that began after `filled`; one that began before may miss it."""
    source = f'{{source="{_SOURCES[listener.protocol]}"}}'
    durations = _samples(prometheus, f"listen_queue_exporter_source_duration_seconds{source}")
    ends = _samples(prometheus, f"listen_queue_exporter_last_sample_timestamp_seconds{source}")
    return [at for at, end in ends.items() if at in durations and end - durations[at] >= filled]


def _has_two(times: list[float]) -> bool:
    return len(times) >= 2


def _samples(prometheus: AlertingPrometheus, selector: str) -> dict[float, float]:
    """The samples of the one series of a selector, by their time, in order."""
    found = prometheus.history(selector)
    assert len(found) == 1, f"{selector} has {len(found)} series"
    return next(iter(found.values()))
