"""The start of the daemon: what the brokers are forked with."""

from __future__ import annotations

import subprocess
import sys

_UNUSED_BY_BROKERS = {"asyncio", "exporter.config", "exporter.kernel", "exporter.web", "yaml"}


def test_brokers_are_forked_without_what_only_the_exporter_uses() -> None:
    program = "import exporter.cli.main, exporter.cli.daemon_start, sys; print(*sys.modules)"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert set(ended.stdout.split()).isdisjoint(_UNUSED_BY_BROKERS)
