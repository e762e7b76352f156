"""The exporter, with a note of how late each sample of the accept queues began.

`python -m bench.observed FILE FLAG...` runs the daemon. At its end each line of FILE is the monotonic time
of a sample and its lateness, in seconds: the time between the beat that was due and the sample.
"""

from __future__ import annotations

import sys
from pathlib import Path

from exporter.cli.main import main
from exporter.sampling.source import Source

_NEVER = float("-inf")


def observe(noted: list[tuple[float, float]]) -> None:
    """Have every source `inet` note its lateness before each sample; it costs a microsecond."""
    original = Source.run

    def run(source: Source, now: float) -> None:
        if source.name == "inet" and source.due != _NEVER:
            noted.append((now, now - source.due))
        original(source, now)

    Source.run = run  # type: ignore[assignment,method-assign]  # nothing outside shows it


if __name__ == "__main__":
    samples: list[tuple[float, float]] = []
    observe(samples)
    status = main(sys.argv[2:])
    Path(sys.argv[1]).write_text("".join(f"{now:.6f} {late:.6f}\n" for now, late in samples))
    sys.exit(status)
