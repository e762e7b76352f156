"""What is computed from samples: peaks, the histogram, and the time in which a queue was full."""

from __future__ import annotations

import time
from contextlib import ExitStack

import pytest

from testbed.daemon import Daemon, running
from testbed.page import Page
from testbed.waiting import until
from tests.integration import listening_sockets
from tests.integration.metric_values import EAGER, figure, until_figure, until_sampled

LISTENER = {"port": "8080"}
FULL_SECONDS = "listen_queue_accept_full_seconds_total"
LENGTH = "listen_queue_accept_length"
PEAK_LENGTH = "listen_queue_accept_peak_length"
PEAK_RATIO = "listen_queue_accept_peak_utilization_ratio"
RATIO = "listen_queue_accept_utilization_ratio"
BUCKET = "listen_queue_accept_sampled_utilization_ratio_bucket"


def newest_sample_began(page: Page) -> float:
    """The time of day at which the newest sample of this page, or the one before it, began."""
    end = page.value("listen_queue_exporter_last_sample_timestamp_seconds", source="inet")
    return end - page.value("listen_queue_exporter_source_duration_seconds", source="inet")


def until_ratio(daemon: Daemon, wanted: float) -> Page:
    """The first page on which the listener is so full."""
    return until(daemon.metrics, lambda page: page.value(RATIO, **LISTENER) == wanted)


@pytest.mark.netns
def test_full_seconds_are_the_real_time_of_fullness() -> None:
    """No more than from before the queue filled until now, and no less than since it was seen full."""
    with ExitStack() as stack, running(config=EAGER) as daemon:
        listener = stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=1))
        until_figure(daemon, 0, "accept_full_seconds_total", **LISTENER)
        stack.enter_context(listening_sockets.clients(listener, 1)[0])
        until_ratio(daemon, 0.5)
        before_full = time.time()
        stack.enter_context(listening_sockets.clients(listener, 1)[0])
        until_ratio(daemon, 1)
        seen_full = time.time()
        page = until(daemon.metrics, lambda page: page.value(FULL_SECONDS, **LISTENER) > 1.5)
        assert page.value(FULL_SECONDS, **LISTENER) <= time.time() - before_full
        assert page.value(FULL_SECONDS, **LISTENER) >= newest_sample_began(page) - seen_full - 0.05

        with listening_sockets.accept(listener, 1)[0]:
            ended = until_ratio(daemon, 0.5).value(FULL_SECONDS, **LISTENER)
            until_sampled(daemon, "inet", 30)
            assert figure(daemon, "accept_full_seconds_total", **LISTENER) == ended


@pytest.mark.netns
def test_one_full_member_makes_the_time_of_a_group_full() -> None:
    with ExitStack() as stack, running(config=EAGER) as daemon:
        small = stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=0, reuse_port=True))
        for client in listening_sockets.clients(small, 1):
            stack.enter_context(client)
        stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=1000, reuse_port=True))
        until_figure(daemon, 2, "sockets", **LISTENER)
        first = daemon.metrics().value(FULL_SECONDS, **LISTENER)
        until(daemon.metrics, lambda page: page.value(FULL_SECONDS, **LISTENER) > first + 0.5)


@pytest.mark.netns
def test_a_burst_is_in_the_peak_after_it_was_accepted_until_the_window_is_over() -> None:
    config = "sampling: {interval: 10ms, cpu_budget: 100%, peak_window: 3s}\ndefaults: {export: full}\n"
    with listening_sockets.tcp("127.0.0.1", backlog=9) as listener, running(config=config) as daemon:
        burst = listening_sockets.clients(listener, 7)
        until_figure(daemon, 7, "accept_length", **LISTENER)
        accepted_from = time.monotonic()
        for each in [*burst, *listening_sockets.accept(listener, 7)]:
            each.close()
        page = until(daemon.metrics, lambda page: page.value(LENGTH, **LISTENER) == 0)
        # A machine that is busy with something else may show its first page after the window.
        if time.monotonic() - accepted_from < 2.5:
            assert page.value(PEAK_LENGTH, **LISTENER) == 7
            assert page.value(PEAK_RATIO, **LISTENER) == 0.7
        until_figure(daemon, 0, "accept_peak_length", **LISTENER)
        assert time.monotonic() - accepted_from > 2.5
        until_figure(daemon, 0, "accept_peak_utilization_ratio", **LISTENER)


@pytest.mark.netns
@pytest.mark.parametrize(
    ("waiting", "bucket", "below"),
    [(0, "0.0", None), (2, "0.25", "0.1"), (9, "0.9", "0.75"), (10, "+Inf", "0.999")],
)
def test_the_histogram_has_one_observation_for_each_sample_in_the_bucket_of_its_ratio(
    waiting: int, bucket: str, below: str | None
) -> None:
    with ExitStack() as stack:
        listener = stack.enter_context(listening_sockets.tcp("127.0.0.1", backlog=9))
        for client in listening_sockets.clients(listener, waiting):
            stack.enter_context(client)
        daemon = stack.enter_context(running(config=EAGER))
        first = until(daemon.metrics, observed_each_sample)
        later = until(
            daemon.metrics,
            lambda page: observed_each_sample(page) and count(page, "+Inf") >= count(first, "+Inf") + 20,
        )
        assert count(later, bucket) == count(later, "+Inf")
        assert below is None or count(later, below) == 0
        total = later.value("listen_queue_accept_sampled_utilization_ratio_sum", **LISTENER)
        assert total == pytest.approx(count(later, "+Inf") * waiting / 10)


def count(page: Page, bucket: str) -> float:
    return page.value(BUCKET, le=bucket, **LISTENER)


def observed_each_sample(page: Page) -> bool:
    """Whether this listener, which was there before the first sample, has an observation of every one."""
    samples = page.value("listen_queue_exporter_samples_total", source="inet")
    observed = page.value("listen_queue_accept_sampled_utilization_ratio_count", **LISTENER)
    # The source counts a sample a moment after its figures can be seen.
    return observed == samples == count(page, "+Inf")
