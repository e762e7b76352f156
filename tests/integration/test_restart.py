"""Listeners that come, go and come back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from testbed.daemon import Daemon, running
from testbed.repeated import repeated
from testbed.waiting import equals, until
from tests.integration import listening_sockets
from tests.integration.metric_values import EAGER, figure, until_figure, until_sampled

COUNTERS = (
    "accept_full_seconds_total",
    "drops_total",
    "accept_sampled_utilization_ratio_count",
    "accept_sampled_utilization_ratio_sum",
)
CRITICAL = {"queue": "accept", "severity": "critical"}


def counters(daemon: Daemon) -> dict[str, float]:
    """Every counter of the listener on port 8080 that is there now."""
    page = daemon.metrics()
    found = {name: page.all(f"listen_queue_{name}", port="8080") for name in COUNTERS}
    found["exceeded"] = page.all("listen_queue_threshold_exceeded_seconds_total", port="8080", **CRITICAL)
    return {name: next(iter(values.values())) for name, values in found.items() if values}


@pytest.mark.netns
def test_a_service_that_restarts_goes_on_with_its_counters() -> None:
    with running(config=EAGER) as daemon:
        first = listening_sockets.tcp("127.0.0.1", backlog=0)
        clients = listening_sockets.clients(first, 1)
        refused = [listening_sockets.refused_client(first) for _ in range(2)]
        until(lambda: counters(daemon), lambda found: found.get("accept_full_seconds_total", 0) > 0.3)
        for client in [*clients, *refused]:
            client.close()
        until_sampled(daemon, "inet")
        before = counters(daemon)
        first.close()
        until_figure(daemon, None, "accept_length", port="8080")
        assert counters(daemon) == {}
        with listening_sockets.tcp("127.0.0.1", backlog=5):
            until_figure(daemon, 5, "accept_limit", port="8080")
            after = counters(daemon)
            assert after.keys() == before.keys()
            assert all(after[name] >= before[name] for name in before)
            assert before["drops_total"] >= 2
            assert before["exceeded"] > 0.3
            # The queue is empty now, so what counts fullness stands still.
            until_sampled(daemon, "inet", 20)
            later = counters(daemon)
            assert later["accept_full_seconds_total"] == after["accept_full_seconds_total"]
            assert later["exceeded"] == after["exceeded"]


@pytest.mark.netns
def test_a_restart_is_not_time_in_which_the_queue_was_full() -> None:
    """The time between the two lives of a full listener counts as nothing."""
    with running(config=EAGER) as daemon:
        first = listening_sockets.tcp("127.0.0.1", backlog=0)
        clients = listening_sockets.clients(first, 1)
        until_figure(daemon, 1, "accept_utilization_ratio", port="8080")
        first.close()
        until_figure(daemon, None, "accept_length", port="8080")
        until_sampled(daemon, "inet", 100)
        with listening_sockets.tcp("127.0.0.1", backlog=0) as second:
            until_figure(daemon, 0, "accept_length", port="8080")
            gone = counters(daemon)["accept_full_seconds_total"]
            until_sampled(daemon, "inet", 20)
            assert counters(daemon)["accept_full_seconds_total"] == gone
            clients += listening_sockets.clients(second, 1)
            until(lambda: counters(daemon)["accept_full_seconds_total"], lambda full: full > gone)
        for client in clients:
            client.close()


@pytest.mark.netns
def test_a_listener_that_is_gone_has_no_series() -> None:
    with running(config=EAGER) as daemon:
        with listening_sockets.tcp("127.0.0.1"), listening_sockets.unix("\0queue"):
            until_figure(daemon, 0, "accept_length", port="8080")
            until_figure(daemon, 0, "accept_length", protocol="unix")
        until(daemon.scrape, lambda text: '"8080"' not in text and "@queue" not in text)


@contextmanager
def churn(port: int) -> Iterator[None]:
    """Listeners that join the group on a port and leave again, as fast as they can."""

    def come_and_go() -> None:
        with (
            listening_sockets.tcp("127.0.0.1", port, reuse_port=True),
            listening_sockets.tcp("127.0.0.1", port, reuse_port=True),
        ):
            pass

    with repeated(come_and_go), repeated(come_and_go):
        yield


@pytest.mark.netns
def test_a_listener_among_others_that_churn_never_leaves_the_page_nor_counts_backwards() -> None:
    with (
        listening_sockets.tcp("127.0.0.1", reuse_port=True),
        listening_sockets.tcp("127.0.0.1", 8081),
        running(config=EAGER) as daemon,
    ):
        until_figure(daemon, 1, "sockets", port="8080")
        with churn(8080):
            last = counters(daemon)
            for _ in range(20):
                assert (figure(daemon, "sockets", port="8080") or 0) >= 1
                assert figure(daemon, "sockets", port="8081") == 1
                now = counters(daemon)
                assert all(now[name] >= last[name] for name in last)
                last = now
        until_figure(daemon, 1, "sockets", port="8080")
        assert figure(daemon, "exporter_source_success", source="inet") == 1
        assert (figure(daemon, "exporter_sample_errors_total", source="inet") or 0) == 0


@pytest.mark.netns
def test_a_short_lived_listener_on_every_port_leaves_nothing_behind() -> None:
    with running(config=EAGER) as daemon:
        for port in range(20_000, 20_400):
            listening_sockets.tcp("127.0.0.1", port).close()
        # One that waits for its name is not shown yet; after some samples it is known to be gone.
        until_sampled(daemon, "inet")
        until(
            lambda: {dict(labels)["port"] for labels in daemon.metrics().all("listen_queue_sockets")},
            equals({"10511"}),
        )
        until_figure(daemon, 1, "exporter_listeners")
