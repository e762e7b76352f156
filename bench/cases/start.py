"""How long the command takes to start."""

from __future__ import annotations

import subprocess
import sys
import time
from typing import Final

from bench.results import CaseResult, Measurement, Summary
from bench.timing import Progress

TABLE: Final = "Start of the command, wall time"


def help_text(rounds: int, progress: Progress) -> CaseResult:
    """Measure `--help` beside a Python that does nothing, one after the other in each round."""
    commands = {
        "exporter --help": [sys.executable, "-m", "exporter", "--help"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            times[name].append(time.perf_counter() - started)
        progress((number + 1) / rounds)
    more = [exporter - python for exporter, python in zip(*times.values(), strict=True)]
    return CaseResult(
        tuple(
            Measurement(TABLE, "no load", 0, name, "s", Summary.of(values)) for name, values in times.items()
        ),
        (("help", Summary.of(more)),),
    )
