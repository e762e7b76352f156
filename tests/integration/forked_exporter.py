"""The exporter in a fork of the test, for tests whose user may not read the files of the interpreter."""

from __future__ import annotations

import http.client
import os
import signal
import sys
import tempfile
import traceback
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Self

# The commands import these when they run, and by then their files may be unreadable.
import exporter.cli.daemon as _daemon  # noqa: F401
import exporter.cli.show.command as _show  # noqa: F401
import exporter.cli.show.host as _host  # noqa: F401
import exporter.cli.show.listing as _listing  # noqa: F401
from exporter.cli.main import main
from exporter.cli.preload import preload
from exporter.config.model import Config
from exporter.sampling.environment import host_environment
from exporter.sampling.sampler import Sampler
from testbed import syscalls
from testbed.page import Page, metrics
from testbed.waiting import until

_PORT = 10511


def load_everything() -> None:
    """Take one sample, so that Python loads all that it needs while it may read the files."""
    preload()
    Sampler(Config(), host_environment()).sample()


class Fork:
    """A child that runs the command with these arguments, and what it writes."""

    def __init__(self, *arguments: str) -> None:
        # The child writes to them until it ends.
        self._output, self._errors = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        self.pid = os.fork()
        if self.pid == 0:
            _run(lambda: main(arguments), self._output.fileno(), self._errors.fileno())

    @property
    def output(self) -> str:
        """What it has written so far to standard output."""
        return _content(self._output.fileno())

    @property
    def errors(self) -> str:
        """What it has written so far to standard error."""
        return _content(self._errors.fileno())

    def wait(self) -> int:
        """The exit status."""
        _, status = os.waitpid(self.pid, 0)
        return os.waitstatus_to_exitcode(status)


class ForkedExporter(Fork):
    """The daemon with the user, the capabilities and the filters of this process, in `with`."""

    def __init__(self, *flags: str) -> None:
        super().__init__(f"--web.listen-address=127.0.0.1:{_PORT}", *flags)

    def __enter__(self) -> Self:
        try:
            until(self._is_ready, bool)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.kill(self.pid, signal.SIGKILL)
        self.wait()
        if error is not None:
            sys.stderr.write(f"--- the exporter wrote ---\n{self.errors}")

    def metrics(self) -> Page:
        """The page of metrics, parsed."""
        status, body = _get("/metrics")
        assert status == HTTPStatus.OK, body
        return metrics(body.decode())

    @staticmethod
    def _is_ready() -> bool:
        try:
            return _get("/-/ready")[0] == HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False


def _get(path: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", _PORT, timeout=10)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


def _content(file: int) -> str:
    return os.pread(file, 1 << 20, 0).decode(errors="backslashreplace")


def _run(command: Callable[[], int], output: int, errors: int) -> None:
    status = 1
    try:
        syscalls.die_with_parent()
        os.dup2(output, 1)
        os.dup2(errors, 2)
        # pytest has replaced them with objects that do not write to the descriptors.
        sys.stdout = open(1, "w", closefd=False)  # noqa: SIM115
        sys.stderr = open(2, "w", closefd=False)  # noqa: SIM115
        status = command()
    except BaseException:  # noqa: BLE001  (nothing above this fork would show it)
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
