"""The daemon: what it logs before it runs, and what it tells its service manager."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import cast

import pytest

from exporter.broker.capabilities import keep_only
from exporter.cli.config_files import ConfigFiles
from exporter.cli.daemon import Daemon
from exporter.cli.flags import RunFlags, parse
from exporter.cli.log_limit import LogLimit
from exporter.cli.log_writer import LogWriter
from exporter.cli.supervision import Supervision
from exporter.cli.systemd import ServiceManager
from exporter.cli.web_access import WebAccess
from exporter.config import Config
from exporter.sampling.clock import SYSTEM_CLOCK
from exporter.sampling.environment import host_environment
from exporter.sampling.sampler import Sampler

ROOT = Path(__file__).resolve().parents[2]


class _Reloads:
    """Failed once; `error` is read while the thread that reloads puts another file into force."""

    def __init__(self) -> None:
        self._errors = ["c.yaml: wrong\nc.yaml: and more"]

    @property
    def error(self) -> str | None:
        return self._errors.pop() if self._errors else None


class _Files:
    """Configuration files with these reloads."""

    web = WebAccess(None)

    def reloads(self, *_: object) -> _Reloads:
        return _Reloads()


def test_the_status_is_told_while_a_reload_ends() -> None:
    flags = parse([])
    assert isinstance(flags, RunFlags)
    daemon = Daemon(
        flags,
        cast("ConfigFiles", _Files()),
        Sampler(Config(), host_environment()),
        ServiceManager({}),
        Supervision(None),
        LogWriter(os.open(os.devnull, os.O_WRONLY)),
        LogLimit(SYSTEM_CLOCK.monotonic),
        SYSTEM_CLOCK,
    )
    assert "; configuration not reloaded: c.yaml: wrong" in daemon.status()
    assert "configuration" not in daemon.status()


@pytest.mark.netns
@pytest.mark.parametrize("level", ["warn", "error"])
def test_what_is_logged_before_the_start_has_the_form_of_the_log(level: str) -> None:
    """Root that may not become another user says so, and no address can be listened on."""
    flags = ("--log.format=json", f"--log.level={level}", "--web.listen-address=unix:/nowhere/x.sock")
    done = subprocess.run(
        [sys.executable, "-m", "exporter", *flags],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=60,
        preexec_fn=lambda: keep_only(()),  # tests have one thread
    )
    *lines, error = done.stderr.splitlines()
    assert done.returncode == 1
    assert "cannot listen on unix:/nowhere/x.sock" in error
    records = [json.loads(line) for line in lines]
    assert [record["level"] for record in records] == ["warn"] * (level == "warn")
    assert all(record["msg"].startswith("stays root") and record["ts"] for record in records)
