"""When an alert was due, counted in what Prometheus itself says it did.

Nothing here depends on how fast the machine is: where a scrape or an evaluation comes late, so may the alert.
"""

from __future__ import annotations

from dataclasses import dataclass

from testbed.waiting import until
from tests.e2e.prometheus import AlertingPrometheus
from tests.integration.reference import CgroupLocation

_SCRAPE_SECONDS = 1.0
_SOURCES = {"tcp": "inet", "unix": "unix"}


@dataclass(frozen=True, slots=True)
class Way:
    """From a queue to its alert, in Unix time: filled, in the first scrape that can know, evaluated."""

    filled: float
    scraped: float
    evaluated: float

    def __str__(self) -> str:
        return (
            f"filled at {self.filled:.3f}, in the scrape {self.scraped - self.filled:.3f} s later, "
            f"in the evaluation {self.evaluated - self.filled:.3f} s later"
        )


def way(prometheus: AlertingPrometheus, place: CgroupLocation, filled: float) -> Way:
    """The first scrape after a sample after `filled`, and the first evaluation after that scrape.

    Fails where that scrape does not have the queue full, or where samples come less often than scrapes.
    """
    source = f'{{source="{_SOURCES[place.protocol]}"}}'
    scraped = until(lambda: _scraped_after(prometheus, source, filled), bool)[0]
    interval = _samples(prometheus, f"listen_queue_exporter_sample_interval_seconds{source}")[scraped]
    assert interval < _SCRAPE_SECONDS
    labels = ",".join(f'{name}="{value}"' for name, value in place._asdict().items())
    ratios = _samples(prometheus, f"listen_queue_accept_utilization_ratio{{{labels}}}")
    assert ratios[scraped] == 1, f"{place} was filled at {filled}; scrapes had {ratios}"
    # A scrape is stored when it is over, under the time at which it began.
    stored = scraped + _samples(prometheus, "scrape_duration_seconds")[scraped]
    # The rules' own: it has a sample for each evaluation of the group that has the alerts.
    evaluations = until(lambda: [at for at in _samples(prometheus, "listen_queue:up") if at >= stored], bool)
    return Way(filled, scraped, evaluations[0])


def _scraped_after(prometheus: AlertingPrometheus, source: str, filled: float) -> list[float]:
    """When it was scraped with a sample that began after `filled`: an earlier one may have missed it."""
    took = _samples(prometheus, f"listen_queue_exporter_source_duration_seconds{source}")
    sampled = _samples(prometheus, f"listen_queue_exporter_last_sample_timestamp_seconds{source}")
    return [at for at, when in sampled.items() if at in took and when - took[at] >= filled]


def _samples(prometheus: AlertingPrometheus, selector: str) -> dict[float, float]:
    """The samples of the one series of a selector, by their time."""
    found = prometheus.history(selector)
    assert len(found) == 1, f"{selector} has {len(found)} series"
    return dict(next(iter(found.values())))
