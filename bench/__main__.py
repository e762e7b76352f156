"""The command: `python -m bench` for the whole benchmark, `--quick` for the short form."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from bench import environment, regression, suite
from bench.case import Case, run
from bench.document import FORMATS, write_document
from bench.executables import ProgramUnavailableError, compile_all
from bench.limits import LIMITS, limit_in_force
from bench.progress import Progress
from bench.results import CaseResult, Results

_ROOT: Final = Path(__file__).resolve().parents[1]
RESULTS: Final = _ROOT / "bench" / "results.json"
_DOCUMENTS: Final = _ROOT / "docs"
# 128 and the number of SIGINT, as shells have it.
_INTERRUPTED: Final = 130


def main() -> int:
    """Return 1 where a program in C cannot be compiled, or a limit of the quick benchmark is not met."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--quick",
        action="store_true",
        help="take two minutes, and fail where a ratio is beyond bench/quick_limits.toml",
    )
    parser.add_argument(
        "--report", action="store_true", help="write docs/performance.md again from bench/results.json"
    )
    parser.add_argument("--only", metavar="TEXT", default="", help="only the cases with this in their names")
    chosen = parser.parse_args()
    try:
        if chosen.report:
            _write_document(Results.read(RESULTS))
            return 0
        compiled = compile_all()
        cases = suite.quick(compiled) if chosen.quick else suite.whole(compiled)
        cases = [case for case in cases if chosen.only in case.name]
        results = Results.of(environment.describe(), _run(cases))
    except ProgramUnavailableError as unavailable:
        print(unavailable, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\ninterrupted; every process and namespace has ended", file=sys.stderr)
        return _INTERRUPTED
    if chosen.quick:
        return _check(results)
    if chosen.only:
        _print_measurements(results)
        _print(results)
        return 0
    results.write(RESULTS)
    _write_document(results)
    return 0


def _run(cases: Sequence[Case]) -> list[CaseResult]:
    progress = Progress({case.name: case.expected_seconds for case in cases})
    found = []
    for case in cases:
        progress.begin(case.name)
        found.append(run(case, progress.at))
        progress.end()
    return found


def _write_document(results: Results) -> None:
    write_document(results, _DOCUMENTS)
    _print(results)


def _print(results: Results) -> None:
    for limit in LIMITS:
        measured = results.limited.get(limit.name)
        if measured is not None:
            value = limit_in_force(limit, results.limited)
            met = "met     " if limit.met_by(measured.median, value) else "NOT MET"
            print(
                f"{met}  {limit.unit.format(measured.median):>8}  {limit.text(value):>17}  "
                f"{limit.workload}: {limit.measure}"
            )
    _print_not_measured(results)


def _print_measurements(results: Results) -> None:
    for table, measurements in results.tables().items():
        print(table)
        for each in measurements:
            values = (each.summary.median, each.summary.minimum, each.summary.maximum)
            median, least, most = (FORMATS[each.unit](value) for value in values)
            print(f"  {median:>8}  ({least} to {most})  {each.workload}: {each.program}")


def _check(results: Results) -> int:
    checked = list(regression.check(results.limited, regression.quick_limits()))
    for met, line in checked:
        print(line, file=sys.stdout if met else sys.stderr)
    _print_not_measured(results)
    return 0 if all(met for met, _ in checked) else 1


def _print_not_measured(results: Results) -> None:
    for missing in results.not_measured:
        print(f"not measured  {missing.name}: {missing.reason}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
