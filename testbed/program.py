"""A program that a test starts: its log, waiting for what it does, and its end."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from signal import SIGINT, SIGTERM, Signals
from types import TracebackType
from typing import Self

import pytest

from testbed import process_tree, syscalls
from testbed.waiting import DEADLINE_SECONDS, until

_PRINTED_LINES = 40


class Program:
    """A program that runs until the end of a `with` block, where it and its descendants are killed.

    What they write goes to the file `log`; its last lines are printed where the block raises. The working
    directory is that of `log` unless `cwd` says otherwise. `user` is the user and the group that it runs as.
    It inherits the descriptors `pass_fds`. `before_exec` is called in the new process, as that user.
    """

    def __init__(  # noqa: PLR0913 # all but `log` are options of subprocess.Popen
        self,
        command: Sequence[str],
        log: Path,
        *,
        cwd: Path | None = None,
        env: Mapping[str, str] | None = None,
        user: int | None = None,
        pass_fds: Collection[int] = (),
        before_exec: Callable[[], None] | None = None,
    ) -> None:
        self.name = log.stem
        self._log = log

        def prepare() -> None:
            # Ignored where the tests run in the background of a shell without job control.
            signal.signal(SIGINT, signal.SIG_DFL)
            if before_exec is not None:
                before_exec()
            # Last: a change of user or capabilities undoes it.
            syscalls.die_with_parent()

        with log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                cwd=cwd or log.parent,
                env=env,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                pass_fds=pass_fds,
                preexec_fn=prepare,  # noqa: PLW1509 # a test has one thread
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            process_tree.kill(self.pid)
            self._process.wait()
        if error is not None:
            last = "\n".join(self.log.splitlines()[-_PRINTED_LINES:])
            sys.stderr.write(f"--- {self.name} wrote ---\n{last}\n")

    @property
    def pid(self) -> int:
        """The process that was started, also after it ended."""
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it and its descendants have written so far."""
        return self._log.read_text(errors="backslashreplace")

    def expect_running(self) -> None:
        """Fail the test where the program has ended."""
        if self._process.poll() is not None:
            pytest.fail(f"{self.name} exited with {self._process.returncode}:\n{self.log}")

    def wait_until(self, condition: Callable[[], bool]) -> Self:
        """Return when the condition holds; fails the test at the deadline, or where the program has ended."""

        def holds() -> bool:
            self.expect_running()
            return condition()

        until(holds, bool)
        return self

    def signal(self, number: Signals) -> None:
        """Send a signal to the process that was started."""
        self._process.send_signal(number)

    def stop(self, number: Signals = SIGTERM) -> int:
        """Send a signal and return the exit status, negative where a signal ended it."""
        self._process.send_signal(number)
        return self.wait()

    def wait(self, deadline_seconds: float = DEADLINE_SECONDS) -> int:
        """The exit status of a program that ends by itself; fails the test at the deadline."""
        try:
            return self._process.wait(deadline_seconds)
        except subprocess.TimeoutExpired:
            pytest.fail(f"{self.name} still ran after {deadline_seconds:g} s")
