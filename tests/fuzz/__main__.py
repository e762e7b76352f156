"""Fuzz targets, as many at once as there are cores: `python -m tests.fuzz [--inputs N] [TARGET ...]`.

Each runs in a process of its own, guided by coverage where atheris is installed. What was found stays in
`.fuzz/`. Exit status 1 where an input showed a fault, took too long, or took too much memory.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from tests.fuzz import target

_FOLDER: Final = Path(__file__).resolve().parents[2] / ".fuzz"
_INPUTS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one target. `memory_mib` is the peak of its process, 0 where it is not known."""

    name: str
    passed: bool
    seconds: float
    memory_mib: int
    log: Path

    def line(self) -> str:
        """Return a line of the table."""
        memory = f"{self.memory_mib} MiB" if self.memory_mib else ""
        outcome = "no fault" if self.passed else f"FAULT, see {self.log}"
        return f"{self.name:24}{self.seconds:8.0f} s{memory:>10}  {outcome}"


def fuzz(name: str, inputs: int, folder: Path, module: str) -> Result:
    """Fuzz one target in another process, whose output and faults are written to `folder`."""
    folder = folder / name
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "log"
    started = time.monotonic()
    with log.open("wb") as output:
        command = [sys.executable, "-m", module, name, str(inputs), str(folder)]
        done = subprocess.run(command, stdout=output, stderr=subprocess.STDOUT, check=False)
    peak = re.search(r"stat::peak_rss_mb: +(\d+)", log.read_text(errors="replace"))
    seconds = time.monotonic() - started
    return Result(name, done.returncode == 0, seconds, int(peak[1]) if peak else 0, log)


def main(argv: list[str]) -> int:
    """Fuzz what the arguments name, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("--inputs", type=int, default=_INPUTS, help="how many inputs each target gets")
    parser.add_argument("--folder", type=Path, default=_FOLDER, help="where what is found goes")
    parser.add_argument("targets", nargs="*", metavar="TARGET", help="all of them, unless some are named")
    given = parser.parse_args(argv)
    unknown = set(given.targets) - set(target.names())
    if unknown:
        parser.error(f"no such target: {', '.join(sorted(unknown))}; there are {', '.join(target.names())}")
    guided = importlib.util.find_spec("atheris") is not None
    module = "tests.fuzz.guided" if guided else "tests.fuzz.unguided"
    how = "guided by coverage" if guided else "made at random, since atheris is not installed"
    print(f"{given.inputs:,} inputs for each target, {how}", flush=True)
    failed = False
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for result in pool.map(
            lambda name: fuzz(name, given.inputs, given.folder, module), given.targets or target.names()
        ):
            print(result.line(), flush=True)
            failed |= not result.passed
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
