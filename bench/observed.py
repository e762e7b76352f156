"""The exporter, with a note of how late each sample of the accept queues began.

`python -m bench.observed FILE FLAG...` runs the daemon. At its end each line of FILE is the monotonic time
of a sample and its lateness, in seconds: the time between the beat that was due and the sample.
"""

from __future__ import annotations

import sys
from pathlib import Path

from exporter.cli.main import main
from exporter.sampling.source_runner import SourceRunner


def observe(noted: list[tuple[float, float]]) -> None:
    """Have every source `inet` note its lateness before each sample; it costs a microsecond."""
    original = SourceRunner.run

    def run(runner: SourceRunner, now: float) -> None:
        if runner.name == "inet" and runner.schedule.due is not None:
            noted.append((now, now - runner.schedule.due))
        original(runner, now)

    SourceRunner.run = run  # type: ignore[assignment,method-assign]  # nothing outside shows it


if __name__ == "__main__":
    samples: list[tuple[float, float]] = []
    observe(samples)
    status = main(sys.argv[2:])
    Path(sys.argv[1]).write_text("".join(f"{now:.6f} {late:.6f}\n" for now, late in samples))
    sys.exit(status)
