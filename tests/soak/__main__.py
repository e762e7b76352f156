"""Load the exporter for some minutes and compare: `python -m tests.soak --minutes 10`.

It runs in network, mount and PID namespaces of its own, which takes root. Exit status 1 where anything grew
that must not, or where a page had one wrong figure or did not come in time.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import itertools
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from signal import SIGHUP
from typing import Final

from testbed import child
from testbed.child import Ending, Outcome
from testbed.daemon import Daemon
from testbed.page import metrics
from tests.soak import load, readings
from tests.soak.comparison import Stable, differences
from tests.soak.growth import Check, Reading, compare
from tests.soak.ports import EXPORTER_PORT
from tests.soak.readings import Place, Queue

_ROOT: Final = Path(__file__).resolve().parents[2]
_LOOK_SECONDS: Final = 2.0
_PAGE_SECONDS: Final = 10.0
# By the clock, so that a machine that becomes busier or less busy changes no rate.
_RELOAD_SECONDS: Final = 10.0
_LINE_SECONDS: Final = 60.0
_PRINTED_LOG_LINES: Final = 20
_MAX_PRINTED: Final = 20
_MIN_MINUTES: Final = 4
_CONFIGURATIONS: Final = (
    "sampling: {interval: 50ms}\n",
    "rules: [{name: busy, match: {port: 12000-12009}, accept: {warning: 10%, critical: 20%}}]\n",
    "sampling: {interval: never}\nrules: 7\n",
    "max_listeners: 1999\n",
)
_ACCEPTS: Final = ("*/*", "application/openmetrics-text;version=1.0.0")


class _Clock:
    """Tells when something is due again, as often in each minute however late it is asked."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._next: float | None = None

    def due(self, now: float) -> bool:
        """Tell whether it is due, at `now` in seconds; at the first call it is not."""
        if self._next is None:
            self._next = now + self._seconds
        if now < self._next:
            return False
        self._next += self._seconds
        return True


class Soak:
    """One run: what was read, and what was wrong."""

    def __init__(self, daemon: Daemon) -> None:
        self._daemon = daemon
        self._stable: Stable[Place, Queue] = Stable()
        self._started = time.monotonic()
        self.readings: list[Reading] = []
        self.wrong: list[str] = []
        self.compared = 0
        self.slowest_seconds = 0.0

    def look(self, accept: str) -> None:
        """Scrape, read and compare once."""
        self._look_at_listeners()
        begun = time.monotonic()
        try:
            text = _scrape(accept)
        except (OSError, http.client.HTTPException, ValueError) as error:
            self._note(f"no page: {error!r}")
            return
        self.slowest_seconds = max(self.slowest_seconds, time.monotonic() - begun)
        self._look_at_listeners()
        expected = self._stable.stable(self._at())
        self.compared += len(expected)
        for line in differences(expected, readings.listeners_on(metrics(text))):
            self._note(line)
        self.readings.append(readings.read(self._at(), self._daemon.pid, self._daemon.log, text))

    def checks(self) -> list[Check]:
        """Return how much each thing has grown, and how many figures were wrong."""
        wrong = len(self.wrong)
        what = "wrong figures, missing pages"
        figures = Check(what, f"of {self.compared}", str(wrong), "none", passed=wrong == 0)
        return [*compare(self.readings), figures]

    def _look_at_listeners(self) -> None:
        self._stable.look(readings.listeners_by_ss(), self._at())

    def _note(self, line: str) -> None:
        self.wrong.append(line)
        if len(self.wrong) <= _MAX_PRINTED:
            print(f"wrong at {self._at():.0f} s: {line}", flush=True)

    def _at(self) -> float:
        return time.monotonic() - self._started


def run(minutes: float) -> Outcome:
    """Load an exporter in this process's namespaces, and print what came of it."""
    config = itertools.cycle(_CONFIGURATIONS)
    with Daemon(config=next(config), port=EXPORTER_PORT, namespaces=True) as daemon, _loads() as loads:
        daemon.wait_ready()
        soak, end = Soak(daemon), time.monotonic() + minutes * 60
        reloads, lines = _Clock(_RELOAD_SECONDS), _Clock(_LINE_SECONDS)
        for accept in itertools.cycle(_ACCEPTS):
            if time.monotonic() >= end:
                break
            daemon.expect_running()
            soak.look(accept)
            if reloads.due(time.monotonic()):
                daemon.config_file.write_text(next(config))
                daemon.signal(SIGHUP)
            if soak.readings and lines.due(time.monotonic()):
                print(_progress(soak.readings[-1]), flush=True)
            for kind, process in loads.items():
                if process.poll() is not None:
                    return Outcome(Ending.FAILED, f"the load {kind} ended with {process.returncode}")
            time.sleep(_LOOK_SECONDS)
        outcome = _conclude(soak)
        if outcome.ending is Ending.FAILED:
            print("the last lines of its log:", *daemon.log.splitlines()[-_PRINTED_LOG_LINES:], sep="\n")
        return outcome


def _conclude(soak: Soak) -> Outcome:
    print(f"\n{'':32}{'2nd fifth':>14}{'last fifth':>14}{'allowed':>16}")
    checks = soak.checks()
    for check in checks:
        print(check.line())
    print(f"the slowest page took {soak.slowest_seconds:.2f} s", flush=True)
    failed = [check.what for check in checks if not check.passed]
    return Outcome(Ending.FAILED if failed else Ending.PASSED, ", ".join(failed))


def _progress(reading: Reading) -> str:
    return (
        f"{reading.at:6.0f} s  {reading.memory / (1 << 20):6.1f} MiB  {reading.descriptors:4} descriptors  "
        f"{reading.threads:3} threads  {reading.series:5} series  {reading.log_lines:5} log lines"
    )


@contextmanager
def _loads() -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Start every kind of load, and end it."""
    command = [sys.executable, "-m", "tests.soak.load"]
    loads = {kind: subprocess.Popen([*command, kind], cwd=_ROOT) for kind in load.KINDS}
    try:
        yield loads
    finally:
        for process in loads.values():
            process.kill()
            process.wait()


def _scrape(accept: str) -> str:
    """Return the page. Raises OSError, HTTPException, or ValueError where its status is not 200."""
    connection = http.client.HTTPConnection("127.0.0.1", EXPORTER_PORT, timeout=_PAGE_SECONDS)
    try:
        connection.request("GET", "/metrics", headers={"Accept": accept, "Accept-Encoding": "gzip"})
        response = connection.getresponse()
        body = response.read()
    finally:
        connection.close()
    if response.status != http.HTTPStatus.OK:
        raise ValueError(f"status {response.status}: {body[:200]!r}")
    return gzip.decompress(body).decode()


def main(argv: list[str]) -> int:
    """Run for as long as the arguments say, and return the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak")
    parser.add_argument("--minutes", type=float, default=10.0)
    given = parser.parse_args(argv)
    if given.minutes < _MIN_MINUTES:
        parser.error(f"--minutes has to be at least {_MIN_MINUTES}: before that the load itself still grows")
    outcome = child.run(partial(run, given.minutes), None)
    match outcome.ending:
        case Ending.PASSED:
            print("passed")
            return 0
        case Ending.SKIPPED:
            print(f"not run: {outcome.detail}", file=sys.stderr)
        case _:
            print(f"FAILED: {outcome.detail}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
