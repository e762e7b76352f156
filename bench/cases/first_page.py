"""How long the daemon takes from its start to the first page, and what is on it."""

from __future__ import annotations

import re
import time
from collections import Counter
from contextlib import ExitStack
from typing import Final

from bench.daemon import Daemon, metrics
from bench.exposition import Exposition
from bench.results import CaseResult, Measurement, Summary
from bench.timing import Progress
from bench.workloads.namespaces import Namespaces, OpenNamespaces

TABLE: Final = "From the start of the daemon to its first page, wall time"
SERIES_TABLE: Final = "Series of the listener that has most, with the defaults"
_LISTENER: Final = "listen_queue_accept_length"
# The labels that tell listeners of one protocol apart.
_KEY: Final = re.compile(r'[{,](?:netns|address|port)="([^"]*)"')
_OLDER_PAGE_SECONDS: Final = 2.0


def first_page(workload: Namespaces, rounds: int, progress: Progress) -> CaseResult:
    """Start the daemon in each round and scrape it until it answers; then count the series of listeners."""
    times, shares, pages = [], [], []
    with ExitStack() as namespaces:
        namespaces.enter_context(OpenNamespaces(workload))
        for number in range(rounds):
            with ExitStack() as stack:
                started = time.monotonic()
                page = Daemon(stack, namespaces=True).first_page()
                times.append(time.monotonic() - started)
                shares.append(listeners_of_other_namespaces(page) / workload.listeners)
                time.sleep(_OLDER_PAGE_SECONDS)
                pages.append(metrics())
            progress((number + 1) / rounds)
    tcp, unix = (Summary.of([most_series(page, name) for page in pages]) for name in ("tcp", "unix"))
    rows = (
        (TABLE, "until the first page", "s", Summary.of(times)),
        (TABLE, "listeners on it", "share", Summary.of(shares)),
        (SERIES_TABLE, "TCP listener", "count", tcp),
        (SERIES_TABLE, "unix listener", "count", unix),
    )
    return CaseResult(
        tuple(
            Measurement(table, str(workload), workload.namespaces, name, unit, summary)
            for table, name, unit, summary in rows
        ),
        (
            ("first_page", Summary.of(times)),
            ("first_page_listeners", Summary.of([min(shares)])),
            ("series_tcp", tcp),
            ("series_unix", unix),
        ),
    )


def listeners_of_other_namespaces(page: Exposition) -> int:
    """Return how many listeners a page has that are not in the exporter's own namespace."""
    return sum('netns="host"' not in line for line in page.series(_LISTENER))


def most_series(page: Exposition, protocol: str) -> int:
    """Return how many series the listener with this protocol has that has most of them."""
    counted = Counter(tuple(_KEY.findall(line)) for line in page.series(protocol=protocol))
    return max(counted.values())
