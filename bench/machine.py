"""What the figures were measured on, and with."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path

from bench.program import version
from exporter import __version__


def describe() -> dict[str, str]:
    """Return what to know of the machine and of everyone measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "kernel": f"{platform.system()} {platform.release()} {platform.machine()}",
        "processor": f"{os.cpu_count()} x {_first('/proc/cpuinfo', 'model name')}",
        "memory": f"{int(_first('/proc/meminfo', 'MemTotal').split()[0]) / 1e6:.0f} GB",
        "this exporter": __version__,
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
