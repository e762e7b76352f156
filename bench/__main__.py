"""The command: `python -m bench` for the whole benchmark, `--quick` for the short form."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from bench import machine, plan, regression
from bench.bar import BARS, limit_of
from bench.cost import Findings
from bench.plot import plots
from bench.program import ProgramMissingError, build
from bench.progress import Progress
from bench.report import document
from bench.results import Results
from bench.stage import play

_ROOT = Path(__file__).resolve().parents[1]
_RESULTS = _ROOT / "bench" / "results.json"
_DOCUMENT = _ROOT / "docs" / "performance.md"
_PREFIX = "performance-"
_INTERRUPTED = 130


def main() -> int:
    """Run what was asked for; return 1 where nothing could be measured or a ratio grew."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a minute, and fail where a ratio grew")
    parser.add_argument(
        "--report", action="store_true", help="write the document again from bench/results.json"
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="only stages with this in their names")
    chosen = parser.parse_args()
    try:
        if chosen.report:
            return _write(Results.read(_RESULTS))
        built = build()
        scenes = plan.quick(built) if chosen.quick else plan.whole(built)
        scenes = [scene for scene in scenes if chosen.only in scene.name]
        results = Results.of(machine.describe(), _play(scenes))
    except ProgramMissingError as missing:
        print(missing, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; every process and namespace is gone", file=sys.stderr)
        return _INTERRUPTED
    if chosen.quick:
        return _judge(results)
    if chosen.only:
        _print(results)
        return 0
    results.write(_RESULTS)
    return _write(results)


def _play(scenes: Sequence[plan.Scene]) -> list[Findings]:
    progress = Progress({scene.name: scene.seconds for scene in scenes})
    found = []
    for scene in scenes:
        progress.begin(scene.name)
        found.append(play(scene, progress.at))
        progress.end()
    return found


def _write(results: Results) -> int:
    pictures = list(plots(results))
    for old in _DOCUMENT.parent.glob(f"{_PREFIX}*.svg"):
        old.unlink()
    for picture in pictures:
        (_DOCUMENT.parent / f"{_PREFIX}{picture.name}.svg").write_text(picture.image)
    _DOCUMENT.write_text(document(results, pictures, _PREFIX))
    _print(results)
    return 0


def _print(results: Results) -> None:
    for bar in BARS:
        reached = results.bars.get(bar.name)
        if reached is not None:
            limit = limit_of(bar, results.bars)
            value = bar.unit.write(reached.middle)
            verdict = "met    " if bar.holds(reached.middle, limit) else "NOT MET"
            print(f"{verdict}  {value:>8}  {bar.text(limit):>17}  {bar.load}: {bar.measure}")
    _print_missing(results)


def _judge(results: Results) -> int:
    judged = list(regression.judge(results.bars))
    for holds, line in judged:
        print(line, file=sys.stdout if holds else sys.stderr)
    _print_missing(results)
    return 0 if all(holds for holds, _ in judged) else 1


def _print_missing(results: Results) -> None:
    for missing in results.missing:
        print(f"not measured  {missing.what}: {missing.reason}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
