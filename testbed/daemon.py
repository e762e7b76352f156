"""The exporter as users run it: a process, asked over HTTP."""

from __future__ import annotations

import http.client
import os
import resource
import sys
import tempfile
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from testbed import privileges
from testbed.page import Page, metrics
from testbed.program import Program
from testbed.waiting import DEADLINE_SECONDS, MEASURED_BY

_ROOT = Path(__file__).resolve().parents[1]
_MEASURED = ("--user=root", "--no-sandbox")


def unmeasured() -> dict[str, str]:
    """The environment of a program that may write no file, so that coverage of it cannot be measured."""
    return {name: value for name, value in os.environ.items() if name != MEASURED_BY}


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


class ExporterProgram(Program):
    """A program that serves the pages of the exporter at a port of 127.0.0.1."""

    port = 10511

    def wait_ready(self) -> Self:
        """Return when /-/ready answers 200; fails the test at the deadline or an exit before."""
        return self.wait_until(self._is_ready)

    def wait_for_log(self, text: str) -> Self:
        """Return when the daemon has written `text`; fails the test at the deadline."""
        return self.wait_until(lambda: text in self.log)

    def request(
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
        answer = self.request("/metrics", headers={"Accept": accept} if accept else None)
        if answer.status != http.HTTPStatus.OK:
            pytest.fail(f"/metrics answered {answer.status}: {answer.text}")
        return answer.text

    def metrics(self) -> Page:
        """The page of metrics, parsed."""
        return metrics(self.scrape())

    def _is_ready(self) -> bool:
        try:
            return self.request("/-/ready").status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


class Daemon(ExporterProgram):
    """`python -m exporter`, in the network namespace of the test.

    It has the capability to enter other network namespaces only where `namespaces` is true: the machine has
    some that are no part of the test. It may open `max_open_files`, or as many as the test. Where coverage is
    measured it stays root, to write what it has run to a file, unless `confined` is true. With `unprivileged`
    another user than root starts it.
    """

    def __init__(  # noqa: PLR0913  (each is named where it is given)
        self,
        *flags: str,
        config: str | None = None,
        port: int = 10511,
        namespaces: bool = False,
        max_open_files: int | None = None,
        confined: bool = False,
        unprivileged: bool = False,
    ) -> None:
        self.port = port
        self._folder = tempfile.TemporaryDirectory(prefix="exporter-")
        folder = Path(self._folder.name)
        if unprivileged:
            folder.chmod(0o755)
        self.config_file = folder / "config.yml"
        command = [sys.executable, "-m", "exporter", f"--web.listen-address=127.0.0.1:{port}"]
        command += [*_MEASURED, *flags] if not confined and MEASURED_BY in os.environ else flags
        if config is not None:
            self.config_file.write_text(config)
            command.append(f"--config.file={self.config_file}")
        super().__init__(
            command,
            folder / "exporter.log",
            cwd=_ROOT,
            before_exec=privileges.drop_to
            if unprivileged
            else partial(_restrict, namespaces=namespaces, max_open_files=max_open_files),
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        super().__exit__(kind, error, trace)
        self._folder.cleanup()


def _restrict(*, namespaces: bool, max_open_files: int | None) -> None:
    if max_open_files is not None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (max_open_files, max_open_files))
    if not namespaces:
        privileges.deny_other_namespaces()


def running(*flags: str, config: str | None = None, port: int = 10511, unprivileged: bool = False) -> Daemon:
    """A daemon that is ready, for use in `with`."""
    daemon = Daemon(*flags, config=config, port=port, unprivileged=unprivileged)
    try:
        return daemon.wait_ready()
    except BaseException as error:
        daemon.__exit__(type(error), error, error.__traceback__)
        raise
