"""What other threads have the sampling thread do."""

from __future__ import annotations

import select
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from exporter.sampling.thread_requests import ThreadRequests
from testbed.waiting import DEADLINE_SECONDS


def readable(requests: ThreadRequests, seconds: float = 0.0) -> bool:
    poll = select.poll()
    poll.register(requests.fileno(), select.POLLIN)
    return bool(poll.poll(seconds * 1000))


def test_a_function_is_called_in_the_thread_that_serves() -> None:
    requests = ThreadRequests()
    requests.serve()
    with ThreadPoolExecutor(1) as threads:
        asked = threads.submit(requests.call, threading.get_ident, DEADLINE_SECONDS)
        assert readable(requests, DEADLINE_SECONDS)
        assert not asked.done()
        requests.serve()
        assert asked.result(DEADLINE_SECONDS) == threading.get_ident()
    assert not readable(requests)


def test_the_thread_that_serves_does_not_wait_for_itself() -> None:
    """As in a command that samples once."""
    requests = ThreadRequests()
    requests.serve()
    assert requests.call(lambda: 7, 0.0) == 7
    assert not readable(requests)


def test_an_error_reaches_the_thread_that_asked_and_the_next_request_is_served() -> None:
    requests = ThreadRequests()
    requests.serve()
    with pytest.raises(ZeroDivisionError):
        requests.call(lambda: 1 // 0, 0.0)
    assert requests.call(lambda: 7, 0.0) == 7


def test_what_nobody_served_in_time_is_never_called() -> None:
    requests, called = ThreadRequests(), []
    with pytest.raises(TimeoutError):
        requests.call(lambda: called.append(1), 0.01)
    requests.serve()
    assert called == []
