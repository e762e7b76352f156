"""A process that a test forks: what it reports, and its end."""

from __future__ import annotations

import os
import signal

import pytest

from testbed.forked_process import ForkedProcess


def sleep(report_to: int) -> None:
    os.write(report_to, b"%d" % os.getpid())
    signal.pause()


def test_it_runs_until_the_end_of_the_block() -> None:
    with ForkedProcess(sleep) as process:
        assert int(process.report) == process.pid
        os.kill(process.pid, 0)
        pid = process.pid
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    process.end()


def test_one_that_raises_has_no_report_and_says_why(capfd: pytest.CaptureFixture[str]) -> None:
    def fail(_report_to: int) -> None:
        raise ZeroDivisionError("what went wrong")

    process = ForkedProcess(fail)
    assert process.report == b""
    assert "ZeroDivisionError: what went wrong" in capfd.readouterr().err
    assert os.waitstatus_to_exitcode(os.waitpid(process.pid, 0)[1]) == 1
