"""A rate of requests: a burst at once, then one in each interval."""

from __future__ import annotations

from exporter.web.token_bucket import TokenBucket
from exporter.web_config.model import RateLimit


def test_a_burst_and_then_one_in_each_interval() -> None:
    now = [0.0]
    bucket = TokenBucket(RateLimit(interval_seconds=2.0, burst=3), lambda: now[0])
    assert [bucket.take() for _ in range(4)] == [True, True, True, False]
    assert bucket.retry_seconds() == 2
    now[0] = 1.0
    assert not bucket.take()
    assert bucket.retry_seconds() == 1
    now[0] = 2.0
    assert [bucket.take(), bucket.take()] == [True, False]


def test_no_more_than_a_burst_is_saved_up() -> None:
    now = [0.0]
    bucket = TokenBucket(RateLimit(interval_seconds=0.5, burst=2), lambda: now[0])
    now[0] = 1e6
    assert [bucket.take() for _ in range(3)] == [True, True, False]
