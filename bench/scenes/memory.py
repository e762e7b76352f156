"""Whether memory grows with the samples."""

from __future__ import annotations

import subprocess
import sys
import threading
from contextlib import ExitStack
from typing import TextIO, cast

from bench.cost import Figure, Findings, Spread
from bench.load import Held, Load
from bench.measure import Progress
from testbed import syscalls

TABLE = "Resident memory over an hour's worth of samples"
SERIES = "memory"
_MOVED = 20
_MOVE_SECONDS = 0.005


def hour(load: Load, samples: int, progress: Progress) -> Findings:
    """Take so many samples while queues change, and compare memory after a tenth of them with the end."""
    points: list[tuple[float, float]] = []
    with ExitStack() as stack:
        held = stack.enter_context(Held(load))
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.hour", str(samples)],
            stdout=subprocess.PIPE,
            text=True,
            preexec_fn=syscalls.die_with_parent,  # noqa: PLW1509 # the thread that starts it stays
        )
        stack.callback(process.wait)
        stack.callback(process.kill)
        moving = threading.Event()
        mover = threading.Thread(target=_move, args=(held, moving), daemon=True)
        mover.start()
        for line in cast("TextIO", process.stdout):
            number, resident = map(int, line.split())
            points.append((number, resident))
            progress(number / samples)
        moving.set()
        mover.join()
    early = next(resident for number, resident in points if number >= samples / 10)
    start, end, most = points[0][1], points[-1][1], max(resident for _, resident in points)
    shown = (("at the start", start), ("after a tenth", early), ("at the end", end))
    return Findings(
        tuple(
            Figure(TABLE, f"{load}, {samples:,} samples", samples, name, "B", Spread.of([value]))
            for name, value in shown
        ),
        (("memory", Spread(end, start, most)), ("memory_growth", Spread.of([end - early]))),
        series=((SERIES, tuple(points)),),
    )


def _move(held: Held, ended: threading.Event) -> None:
    while not ended.wait(_MOVE_SECONDS):
        held.change(_MOVED)
