"""The end of the process that starts the brokers again is noticed, whatever ended it."""

from __future__ import annotations

import logging
import os
import signal
import threading

import pytest

from exporter.cli.supervision import Supervision


def child(status: int | None) -> int:
    """A process that ends with this status, or waits."""
    pid = os.fork()
    if pid == 0:
        if status is None:
            signal.pause()
        os._exit(status or 0)
    return pid


@pytest.mark.parametrize(
    ("status", "cause"), [(None, "killed by signal 9"), (3, "status 3")], ids=["killed", "ended"]
)
def test_its_end_is_told_once(status: int | None, cause: str, caplog: pytest.LogCaptureFixture) -> None:
    pid = child(status)
    ended = threading.Event()
    supervision = Supervision(pid)
    with caplog.at_level(logging.ERROR):
        supervision.watch(ended.set)
        if status is None:
            os.kill(pid, signal.SIGKILL)
        assert ended.wait(10)
    assert supervision.lost
    assert [record.getMessage() for record in caplog.records] == [
        f"the process that starts the brokers again has ended: {cause}; this process ends, to be started anew"
    ]


def test_without_one_nothing_is_waited_for() -> None:
    before = threading.active_count()
    supervision = Supervision(None)
    supervision.watch(pytest.fail)
    assert threading.active_count() == before
    assert not supervision.lost


def test_one_that_somebody_else_has_waited_for_has_ended_too() -> None:
    pid = child(0)
    os.waitpid(pid, 0)
    ended = threading.Event()
    supervision = Supervision(pid)
    supervision.watch(ended.set)
    assert ended.wait(10)
    assert supervision.lost
