"""The exporter as users run it: a process with its defaults, scraped over HTTP as Prometheus does."""

from __future__ import annotations

import http.client
import subprocess
import sys
import tempfile
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from bench.program import ProgramMissingError
from bench.subject import wait_for
from testbed import privileges

_ROOT = Path(__file__).resolve().parents[1]
_PORT = 10511
_STOP_SECONDS = 10
_LIKE_PROMETHEUS = {
    "Accept": "application/openmetrics-text;version=1.0.0;q=0.6,text/plain;version=0.0.4;q=0.5,*/*;q=0.1",
    "Accept-Encoding": "gzip",
}


class Daemon:
    """The daemon, from start to SIGTERM. `module` is what `python -m` runs."""

    def __init__(self, within: ExitStack, module: str = "exporter", *arguments: str) -> None:
        """Start it and wait until it is ready; it ends with `within`. Raises ProgramMissingError."""
        folder = within.enter_context(tempfile.TemporaryDirectory())
        self._log = Path(folder, "log")
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments, f"--web.listen-address=127.0.0.1:{_PORT}"],
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                # What else runs on this machine is no part of the load.
                preexec_fn=privileges.stay_at_home,  # noqa: PLW1509 # the thread that starts it stays
            )
        within.callback(self.stop)
        wait_for(self._ready, "the exporter")

    @property
    def pid(self) -> int:
        """The process."""
        return self._process.pid

    def stop(self) -> None:
        """End it with SIGTERM, and by force where that takes too long."""
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def _ready(self) -> bool:
        if self._process.poll() is not None:
            raise ProgramMissingError(f"the exporter ended: {self._log.read_text().strip()}")
        try:
            return get("/-/ready") == http.HTTPStatus.OK
        except OSError:
            return False


def get(path: str = "/metrics") -> int:
    """Ask the daemon as Prometheus would, throw the body away and return the status."""
    connection = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=60)
    try:
        connection.request("GET", path, headers=_LIKE_PROMETHEUS)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


class Scrapers:
    """So many clients that scrape again and again, each on its own thread, while this context is open."""

    def __init__(self, count: int) -> None:
        """Nobody scrapes before the context is entered."""
        self.scrapes = 0
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._scrape, daemon=True) for _ in range(count)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _scrape(self) -> None:
        while not self._stop.is_set():
            get()
            self.scrapes += 1
