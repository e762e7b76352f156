"""A sample that takes longer than its interval, and longer than figures are valid."""

from __future__ import annotations

import time
from signal import SIGTERM

import pytest

from testbed import figures
from testbed.daemon import Daemon, running
from testbed.waiting import equals, until
from tests.broker.broker_processes import state
from tests.integration import listening_sockets
from tests.integration.metric_values import EAGER, figure, until_figure
from tests.integration.stopped_thread import sampler_of

pytestmark = pytest.mark.netns

# What is promised is a second; other tests may have the processor meanwhile.
PROMISED_SECONDS = 5.0
# Two seconds are promised.
END_SECONDS = 20.0


def missed(daemon: Daemon) -> float:
    return figure(daemon, "exporter_samples_missed_total", source="inet") or 0


def status(daemon: Daemon, path: str) -> int:
    return daemon.request(path).status


@pytest.mark.fault(
    "a sample that takes longer than its interval, and than the five seconds for which figures are valid",
    "pages in a second; figures and readiness leave after five seconds, and come back with the next sample",
)
def test_a_sample_that_takes_long() -> None:
    with listening_sockets.tcp("127.0.0.1") as listener, running(config=EAGER) as daemon:
        until_figure(daemon, 0, "accept_length", port="8080")
        before, slowest = missed(daemon), 0.0
        with sampler_of(daemon.pid, daemon.scrape):
            began = time.monotonic()
            clients = listening_sockets.clients(listener, 3)
            length: float | None = 0
            while length is not None:
                asked = time.monotonic()
                length = figure(daemon, "accept_length", port="8080")
                slowest = max(slowest, time.monotonic() - asked)
                assert slowest < PROMISED_SECONDS
                # No figure outlives its validity, whose end is seen by the next page.
                assert length is None or asked < began + PROMISED_SECONDS
                time.sleep(0.1)
            gone = time.monotonic() - began
            until_figure(daemon, 0, "exporter_source_success", source="inet", netns="host")
            until(lambda: status(daemon, "/-/ready"), equals(503))
            assert status(daemon, "/-/healthy") == 200
        began = time.monotonic()
        until_figure(daemon, 3, "accept_length", port="8080")
        figures.note(f"a page in {slowest:.2f} s at most")
        figures.note(f"gone after {gone:.1f} s")
        figures.note(f"back after {time.monotonic() - began:.1f} s")
        until_figure(daemon, 1, "exporter_source_success", source="inet", netns="host")
        assert status(daemon, "/-/ready") == 200
        until(lambda: missed(daemon), lambda now: now > before + 10)
        for client in clients:
            client.close()


@pytest.mark.fault("SIGTERM during a sample that does not end", "it ends within two seconds, with status 0")
def test_an_end_during_a_sample_that_takes_long() -> None:
    with running(config=EAGER) as daemon:
        with sampler_of(daemon.pid, daemon.scrape):
            began = time.monotonic()
            daemon.signal(SIGTERM)
            # Its parent is told only when who has stopped the thread lets it go.
            until(lambda: state(daemon.pid), equals("Z"), END_SECONDS)
            figures.note(f"{time.monotonic() - began:.2f} s")
        assert daemon.wait() == 0
