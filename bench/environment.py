"""The machine of a run, and the versions of the programs that were measured."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path

from bench.executables import version
from bench.exporter_internals import VERSION


def describe() -> dict[str, str]:
    """Return the machine and the versions by name."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": f"{os.cpu_count()} x {_first('/proc/cpuinfo', 'model name')}",
        "memory": f"{int(_first('/proc/meminfo', 'MemTotal').split()[0]) / 1e6:.0f} GB",
        "this exporter": VERSION,
        "Python": platform.python_version(),
        "prometheus_client": installed("prometheus_client"),
        "pyroute2": installed("pyroute2"),
        "C compiler": version("cc", "--version"),
        "ss": version("ss", "-V"),
        "Ruby": version("ruby", "--disable-gems", "--version"),
        "raindrops": _raindrops(),
        "node_exporter": version("prometheus-node-exporter", "--version"),
    }


def _first(path: str, field: str) -> str:
    for line in Path(path).read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == field:
            return value.strip()
    return "unknown"


def _raindrops() -> str:
    return version(
        "ruby",
        "-rraindrops",
        "-e",
        "puts $LOADED_FEATURES.grep(/raindrops-[0-9.]+/)[0][/raindrops-([0-9.]+)/, 1]",
    )
