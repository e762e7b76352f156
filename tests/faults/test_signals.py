"""Signals at any time: the exporter ends in time with status 0, or serves on."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from functools import partial
from pathlib import Path
from signal import SIGHUP, SIGINT, SIGTERM, Signals

import pytest

from testbed import figures, process_tree
from testbed.daemon import Daemon, running
from testbed.hanging_files import HangingFiles
from testbed.waiting import until
from tests.faults.redirected_exporter import EXPORTER, ROOT

# A start takes a quarter of a second where the machine has nothing else to do.
START_SECONDS = 0.5
# Two seconds are promised; here it shares the cores with other tests.
END_SECONDS = 20.0
ENDS = pytest.mark.parametrize("number", [SIGTERM, SIGINT], ids=["SIGTERM", "SIGINT"])


def wait_for_handlers(exporter: Daemon) -> None:
    """Return when the process has taken its signals, which Python cannot do before it runs."""
    while not caught(exporter.pid) & 1 << (SIGHUP - 1):
        exporter.expect_running()
        time.sleep(0.001)


def test_signals_are_taken_before_anything_else_is_imported() -> None:
    listed = "import sys, exporter.cli.main; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-S", "-c", listed], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for late in ("typing", "re", "contextlib", "argparse", "logging", "socket", "yaml", "asyncio", "tornado"):
        assert late not in done.stdout.split()


@pytest.mark.netns
@pytest.mark.fault("SIGHUP at random times during the start", "it starts, and reads its configuration again")
def test_a_reload_during_the_start_is_remembered() -> None:
    generator = random.Random(1)  # noqa: S311 # no secret
    for _ in range(8):
        with Daemon(config="max_listeners: 100\n") as daemon:
            wait_for_handlers(daemon)
            time.sleep(generator.random() * START_SECONDS)
            daemon.signal(SIGHUP)
            daemon.wait_ready().wait_for_log("configuration reloaded")
            assert daemon.stop(SIGTERM) == 0


@pytest.mark.netns
@ENDS
@pytest.mark.fault("SIGTERM or SIGINT at random times", "it ends within two seconds, with status 0")
def test_it_ends_at_any_moment_of_its_start(number: Signals) -> None:
    generator = random.Random(2)  # noqa: S311 # no secret
    slowest = 0.0
    for _ in range(8):
        with Daemon(config="max_listeners: 100\n", namespaces=True) as daemon:
            wait_for_handlers(daemon)
            time.sleep(generator.random() * START_SECONDS * 2)
            family = process_tree.descendants(daemon.pid)
            daemon.signal(number)
            begun = time.monotonic()
            assert daemon.wait(END_SECONDS) == 0
            slowest = max(slowest, time.monotonic() - begun)
            assert "Traceback" not in daemon.log
            until(partial(still_alive, family), lambda left: not left)
    figures.note(f"{slowest:.2f} s at most")


def still_alive(pids: list[int]) -> list[int]:
    return [pid for pid in pids if is_alive(pid)]


def is_alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


@pytest.mark.netns
@pytest.mark.fault("signals without end while it stops", "it ends with status 0 all the same")
def test_signals_while_it_ends_change_nothing() -> None:
    with running(config="max_listeners: 100\n") as daemon:
        daemon.signal(SIGTERM)
        while is_alive(daemon.pid):
            for number in (SIGHUP, SIGINT, SIGTERM):
                daemon.signal(number)
        assert daemon.wait() == 0
        assert "Traceback" not in daemon.log


@pytest.mark.netns
@ENDS
@pytest.mark.fault("SIGTERM to the first process of a container", "it ends, where the kernel would ignore it")
def test_it_ends_as_the_first_process_of_a_pid_namespace(number: Signals, tmp_path: Path) -> None:
    """While it reads its configuration, from a file system that does not answer."""
    with HangingFiles(tmp_path / "hanging"):
        command = [*EXPORTER, f"--config.file={tmp_path}/hanging/c.yaml"]
        child = subprocess.Popen(["unshare", "--pid", "--fork", *command], cwd=ROOT)
        try:
            [_, first] = until(lambda: process_tree.descendants(child.pid), lambda found: len(found) == 2)
            until(lambda: caught(first), lambda signals: bool(signals & 1 << (SIGHUP - 1)))
            time.sleep(START_SECONDS)
            begun = time.monotonic()
            os.kill(first, number)
            assert child.wait(END_SECONDS) == 0
            figures.note(f"{time.monotonic() - begun:.2f} s")
        finally:
            if child.poll() is None:
                process_tree.kill(child.pid)
                child.wait()


def caught(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1], 16)
