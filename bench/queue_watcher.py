"""The program in C that reads the accept queue of one port every 2 ms, and what it saw."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from bench.workloads.episodes import Episode


@dataclass(frozen=True, slots=True)
class Observed:
    """What it saw of one port: begin and end of each episode in monotonic seconds."""

    episodes: tuple[tuple[float, float], ...]
    total_seconds: float
    longest_gap_seconds: float

    def confirmed(self, made: Sequence[Episode]) -> list[Episode]:
        """Return the episodes that were observed."""
        return [
            episode
            for episode in made
            if any(begin <= episode.end and episode.begin <= end for begin, end in self.episodes)
        ]


class QueueWatcher:
    """The running program, in the network namespace of the thread that starts it."""

    def __init__(self, program: Path, port: int, stack: ExitStack) -> None:
        """Start it; `stack` ends it."""
        self._process = subprocess.Popen(
            [program, str(port)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        stack.callback(self._process.kill)

    def stop(self) -> Observed:
        """End it, and return what it saw."""
        output, _ = self._process.communicate()
        *lines, last = output.splitlines()
        _, _, total, gap = last.split()
        spans = tuple((float(begin), float(end)) for begin, end in (line.split() for line in lines))
        return Observed(spans, float(total), float(gap))
