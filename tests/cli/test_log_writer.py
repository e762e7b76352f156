"""Lines of the log, written by a thread that alone waits for their reader."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from pathlib import Path

import pytest

from exporter.cli.log_writer import LogWriter
from testbed.waiting import equals, until

SECONDS = 40.0


def test_lines_are_written_in_their_order(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with file.open("wb") as stream:
        writer = LogWriter(stream.fileno())
        for number in range(1000):
            writer.write(f"line {number}")
        writer.flush(SECONDS)
    assert file.read_text().splitlines() == [f"line {number}" for number in range(1000)]
    assert writer.dropped == 0


def test_nothing_waits_for_a_pipe_that_nobody_reads() -> None:
    """What waits is bounded, and the rest is counted; what waited is there once somebody reads."""
    reading, writing = os.pipe()
    writer = LogWriter(writing, max_waiting_bytes=10_000)
    writer.start()
    begun = time.monotonic()
    for _ in range(5000):
        writer.write("x" * 99)
    assert time.monotonic() - begun < SECONDS
    assert writer.dropped > 0
    received = 0

    def drain() -> int:
        nonlocal received
        received += os.read(reading, 1 << 16).count(b"\n")
        return received

    wanted = 5000 - writer.dropped
    until(drain, equals(wanted))
    writer.write("again")
    assert os.read(reading, 100) == b"again\n"


def test_to_flush_waits_no_longer_than_it_is_told() -> None:
    _reading, writing = os.pipe()
    writer = LogWriter(writing)
    for _ in range(2000):
        writer.write("x" * 99)
    begun = time.monotonic()
    writer.flush(0.1)
    assert 0.1 <= time.monotonic() - begun < SECONDS


def test_a_full_disk_loses_lines_and_counts_them() -> None:
    full = os.open("/dev/full", os.O_WRONLY)
    writer = LogWriter(full)
    for _ in range(3):
        writer.write("lost")
    writer.flush(SECONDS)
    os.close(full)
    assert writer.dropped == 3


def test_a_descriptor_that_another_program_made_non_blocking_is_waited_for() -> None:
    reading, writing = os.pipe2(os.O_NONBLOCK)
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, 4096)
    os.set_blocking(reading, True)
    writer = LogWriter(writing)
    for _ in range(100):
        writer.write("x" * 999)
    writer.start()
    received = b""
    while len(received) < 100_000:
        received += os.read(reading, 4096)
    assert received == (b"x" * 999 + b"\n") * 100
    assert writer.dropped == 0


def test_a_line_of_any_length_is_cut(tmp_path: Path) -> None:
    file = tmp_path / "log"
    with file.open("wb") as stream:
        writer = LogWriter(stream.fileno())
        writer.write("x" * 100_000)
        writer.flush(SECONDS)
    assert file.read_bytes() == b"x" * 16384 + b"...\n"


@pytest.mark.parametrize("text", ["\udcff", "€"])
def test_any_character_is_written(tmp_path: Path, text: str) -> None:
    file = tmp_path / "log"
    with file.open("wb") as stream:
        writer = LogWriter(stream.fileno())
        writer.write(text)
        writer.flush(SECONDS)
    assert file.read_text() == text.encode("utf-8", "backslashreplace").decode() + "\n"


def test_the_thread_does_not_keep_the_program_from_ending() -> None:
    writer = LogWriter(os.dup(2))
    writer.start()
    assert all(thread.daemon for thread in threading.enumerate() if thread.name == "log")
