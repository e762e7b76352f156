"""A log that cannot be written keeps nothing from being served."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator
from pathlib import Path
from signal import SIGHUP, SIGTERM

import pytest

from testbed import figures
from testbed.daemon import ExporterProgram
from testbed.waiting import until
from tests.faults.redirected_exporter import RedirectedExporter
from tests.integration.metric_values import figure

DROPPED = "exporter_log_lines_dropped_total"
END_SECONDS = 20.0


@pytest.fixture
def stuck_pipe(tmp_path: Path) -> Iterator[Path]:
    """A pipe that is open for reading and full, and that nobody reads."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    both_ends = os.open(pipe, os.O_RDWR | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(both_ends, bytes(4096))
    yield pipe
    os.close(both_ends)


def reload_wrongly(exporter: ExporterProgram, file: Path, until_dropped: str) -> float:
    """Have a wrong configuration read until lines of the log are dropped; return how many."""
    file.write_text("".join(f"key{number}: 1\n" for number in range(100)))

    def dropped() -> float:
        exporter.signal(SIGHUP)
        return figure(exporter, DROPPED, reason=until_dropped) or 0

    return until(dropped, lambda count: count > 0)


@pytest.mark.netns
@pytest.mark.fault("the log is a pipe that nobody reads", "pages and SIGTERM as ever; lines are counted")
def test_a_log_that_nobody_reads(tmp_path: Path, stuck_pipe: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("{}")
    with RedirectedExporter(tmp_path, f"2>{stuck_pipe}", f"--config.file={file}").wait_ready() as exporter:
        reload_wrongly(exporter, file, "repeated")
        begun = time.monotonic()
        exporter.scrape()
        figures.note(f"a page in {time.monotonic() - begun:.3f} s")
        begun = time.monotonic()
        exporter.signal(SIGTERM)
        assert exporter.wait(END_SECONDS) == 0
        figures.note(f"ended in {time.monotonic() - begun:.2f} s")


@pytest.mark.netns
@pytest.mark.fault("the disk of the log is full", "pages as ever; lines that were not written are counted")
def test_a_full_disk(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("{}")
    with RedirectedExporter(tmp_path, "2>/dev/full", f"--config.file={file}").wait_ready() as exporter:
        reload_wrongly(exporter, file, "unwritten")
        assert exporter.stop(SIGTERM) == 0


@pytest.mark.netns
@pytest.mark.fault("a wrong configuration is reloaded 1,000 times", "the log does not grow with it")
def test_a_cause_does_not_fill_the_log(tmp_path: Path) -> None:
    file = tmp_path / "c.yaml"
    file.write_text("{}")
    with RedirectedExporter(tmp_path, "", f"--config.file={file}").wait_ready() as exporter:
        reload_wrongly(exporter, file, "repeated")
        lines = exporter.log.count("configuration not reloaded")
        assert 120 <= lines <= 140
        figures.note(f"{lines} lines")
