"""How long the command takes to start."""

from __future__ import annotations

import subprocess
import sys
import time

from bench.cost import Figure, Findings, Spread
from bench.measure import Progress

TABLE = "Start of the command, wall time"


def helped(rounds: int, progress: Progress) -> Findings:
    """Measure `--help` beside a Python that does nothing, in turns."""
    commands = {
        "exporter --help": [sys.executable, "-m", "exporter", "--help"],
        "python -c pass": [sys.executable, "-c", "pass"],
    }
    took: dict[str, list[float]] = {name: [] for name in commands}
    for turn in range(rounds):
        for name, command in commands.items():
            started = time.perf_counter()
            subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
            took[name].append(time.perf_counter() - started)
        progress((turn + 1) / rounds)
    more = [ours - theirs for ours, theirs in zip(*took.values(), strict=True)]
    return Findings(
        tuple(Figure(TABLE, "no load", 0, name, "s", Spread.of(values)) for name, values in took.items()),
        (("help", Spread.of(more)),),
    )
