"""Whether memory grows with the number of samples."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack
from typing import Final, TextIO, cast

from bench.results import CaseResult, Measurement, Summary
from bench.timing import Progress
from bench.workloads.sockets import OpenSockets, Sockets
from testbed import syscalls
from testbed.repeated import repeated

TABLE: Final = "Resident memory over an hour's worth of samples"
SERIES: Final = "memory"
_CHANGED: Final = 20
_CHANGE_SECONDS: Final = 0.005


def growth(sockets: Sockets, samples: int, progress: Progress) -> CaseResult:
    """Take samples while queues change, and compare memory after a tenth of them with that at the end."""
    points: list[tuple[float, float]] = []
    with ExitStack() as stack:
        opened = stack.enter_context(OpenSockets(sockets))
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.memory_growth", str(samples)],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509 # the thread that starts it stays
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        stack.enter_context(repeated(lambda: opened.change(_CHANGED), _CHANGE_SECONDS))
        for line in cast("TextIO", process.stdout):
            number, resident = map(int, line.split())
            points.append((number, resident))
            progress(number / samples)
    start, end, maximum = points[0][1], points[-1][1], max(resident for _, resident in points)
    early = next(resident for number, resident in points if number >= samples / 10)
    rows = (("at the start", start), ("after a tenth", early), ("at the end", end))
    return CaseResult(
        tuple(
            Measurement(TABLE, f"{sockets}, {samples:,} samples", samples, name, "B", Summary.of([value]))
            for name, value in rows
        ),
        (("memory", Summary(end, start, maximum)), ("memory_growth", Summary.of([end - early]))),
        series=((SERIES, tuple(points)),),
    )
