"""The exporter as users run it: a process, asked over HTTP."""

from __future__ import annotations

import http.client
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from signal import SIGTERM, Signals
from types import TracebackType
from typing import Self

import pytest

from testbed import privileges, syscalls
from testbed.page import Page, metrics
from testbed.waiting import DEADLINE_SECONDS

_ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer over HTTP, whatever its status."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        """The body as UTF-8."""
        return self.body.decode()


class Daemon:
    """`python -m exporter` on a port of 127.0.0.1, from start to exit, in whatever namespace the test is in.

    What it writes is kept, and shown where the test fails. Only where `namespaces` says so may it look
    into other namespaces than that.
    """

    def __init__(
        self, *flags: str, config: str | None = None, port: int = 10511, namespaces: bool = False
    ) -> None:
        self.port = port
        self._folder = tempfile.TemporaryDirectory(prefix="exporter-")
        self._log = Path(self._folder.name, "log")
        self.config_file = Path(self._folder.name, "config.yml")
        command = [sys.executable, "-m", "exporter", f"--web.listen-address=127.0.0.1:{port}", *flags]
        if config is not None:
            self.config_file.write_text(config)
            command.append(f"--config.file={self.config_file}")
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=_ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=syscalls.die_with_parent if namespaces else privileges.stay_at_home,  # noqa: PLW1509 # the lab has one thread
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
        if error is not None:
            sys.stderr.write(f"--- the exporter wrote ---\n{self.log}")
        self._folder.cleanup()

    @property
    def pid(self) -> int:
        """The process, running or not."""
        return self._process.pid

    @property
    def log(self) -> str:
        """All it has written so far to standard error and standard output."""
        return self._log.read_text(errors="backslashreplace")

    def wait_ready(self, deadline_seconds: float = DEADLINE_SECONDS) -> Self:
        """Return when /-/ready answers 200; fails the test at the deadline or an exit before."""
        return self._wait_until(self._is_ready, "be ready", deadline_seconds)

    def wait_for_log(self, text: str, deadline_seconds: float = DEADLINE_SECONDS) -> Self:
        """Return when the daemon has written `text`; fails the test at the deadline."""
        return self._wait_until(lambda: text in self.log, f"write {text!r}", deadline_seconds)

    def ask(
        self, path: str, method: str = "GET", headers: dict[str, str] | None = None, body: str | None = None
    ) -> Answer:
        """One request on a connection of its own; OSError where nothing answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=DEADLINE_SECONDS)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def scrape(self, accept: str | None = None) -> str:
        """The page of metrics in the format asked for; fails the test where the status is not 200."""
        answer = self.ask("/metrics", headers={"Accept": accept} if accept else None)
        if answer.status != http.HTTPStatus.OK:
            pytest.fail(f"/metrics answered {answer.status}: {answer.text}")
        return answer.text

    def metrics(self) -> Page:
        """The page of metrics, parsed."""
        return metrics(self.scrape())

    def signal(self, number: Signals) -> None:
        """Send a signal."""
        self._process.send_signal(number)

    def stop(self, number: Signals = SIGTERM, deadline_seconds: float = DEADLINE_SECONDS) -> int:
        """Send a signal and return the exit status, negative where a signal killed it."""
        self._process.send_signal(number)
        return self.wait(deadline_seconds)

    def wait(self, deadline_seconds: float = DEADLINE_SECONDS) -> int:
        """The exit status of a daemon that ends by itself; fails the test at the deadline."""
        try:
            return self._process.wait(deadline_seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"the exporter still ran after {deadline_seconds:g} s")

    def _is_ready(self) -> bool:
        try:
            return self.ask("/-/ready").status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False

    def _wait_until(self, condition: Callable[[], bool], what: str, deadline_seconds: float) -> Self:
        deadline = time.monotonic() + deadline_seconds
        while not condition():
            if self._process.poll() is not None:
                pytest.fail(f"the exporter exited with {self._process.returncode} and did not {what}")
            if time.monotonic() > deadline:
                pytest.fail(f"the exporter did not {what} in {deadline_seconds:g} s")
            time.sleep(0.02)
        return self


def running(*flags: str, config: str | None = None, port: int = 10511) -> Daemon:
    """A daemon that is ready, for use in `with`."""
    daemon = Daemon(*flags, config=config, port=port)
    try:
        return daemon.wait_ready()
    except BaseException as error:
        daemon.__exit__(type(error), error, error.__traceback__)
        raise
