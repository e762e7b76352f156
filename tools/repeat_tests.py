#!/usr/bin/env python3
"""Runs the whole suite several times while every core is kept busy, and prints each test that ever failed.

Usage: tools/repeat_tests.py RUNS [pytest arguments]; exit status 1 where a test or a run failed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

_BUSY = "while True: pass"
# How pytest begins the part of its output that shows what failed.
_FAILURES = "= FAILURES ="


def main(arguments: list[str]) -> int:
    """Run the suite as often as the first argument says."""
    if not arguments or not arguments[0].isdecimal() or int(arguments[0]) < 1:
        print(__doc__, file=sys.stderr)
        return 2
    runs = int(arguments[0])
    failures: Counter[str] = Counter()
    busy = [subprocess.Popen([sys.executable, "-c", _BUSY]) for _ in range(os.cpu_count() or 1)]
    try:
        for number in range(1, runs + 1):
            failures.update(_run_once(number, runs, arguments[1:]))
    finally:
        for process in busy:
            process.kill()
            process.wait()
    for test, count in failures.most_common():
        print(f"failed {count} of {runs}: {test}")
    print(f"{runs} runs with {len(busy)} busy processes beside them, {len(failures)} tests failed")
    return 1 if failures else 0


def _run_once(number: int, runs: int, arguments: list[str]) -> set[str]:
    """The names of what failed; a run that ends in another way than with failed tests is named as well."""
    with tempfile.TemporaryDirectory(prefix="repeat-tests-") as folder:
        report, output = Path(folder, "report.xml"), Path(folder, "output")
        began = time.monotonic()
        with output.open("wb") as written:
            command = [".venv/bin/pytest", f"--junit-xml={report}", *arguments]
            status = subprocess.run(command, stdout=written, stderr=subprocess.STDOUT, check=False).returncode
        failed = _failed_tests(report)
        if status != 0 and not failed:
            failed = {f"(pytest ended with status {status})"}
        text = output.read_text(errors="backslashreplace")
        summary = text.rstrip().rpartition("\n")[2]
        print(f"run {number} of {runs}, {time.monotonic() - began:.0f} s: {summary}", flush=True)
        if failed:
            before, heading, details = text.partition(_FAILURES)
            print(heading + details if heading else before, flush=True)
        return failed


def _failed_tests(report: Path) -> set[str]:
    if not report.exists():
        return set()
    cases = ET.parse(report).iter("testcase")  # noqa: S314  (pytest has just written it)
    return {
        f"{case.get('classname')}::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    }


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
