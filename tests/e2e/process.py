"""A program that runs as long as a test does, and everything it starts."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from signal import SIGCONT, SIGKILL, SIGSTOP, Signals
from types import TracebackType
from typing import Self

import pytest

from testbed import syscalls
from testbed.waiting import until

_SHOWN_LINES = 40


class Process:
    """A program with what it writes; it ends with the test, and its log is shown where the test fails.

    `user` makes it run as somebody else, who must be able to reach the program. `prepare` is called in the
    new process before the program.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        *,
        user: int | None = None,
        prepare: Callable[[], None] | None = None,
    ) -> None:
        self.name = name
        self._log = folder / f"{name}.log"

        def before() -> None:
            if prepare is not None:
                prepare()
            syscalls.die_with_parent()

        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                user=user,
                group=user,
                extra_groups=None if user is None else [],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=before,  # noqa: PLW1509 # the lab has one thread
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            # Stopped first, so that none can start another meanwhile.
            self.freeze()
            self._send(SIGKILL)
            self._process.wait()
        if error is not None:
            last = "\n".join(self.log.splitlines()[-_SHOWN_LINES:])
            sys.stderr.write(f"--- {self.name} wrote ---\n{last}\n")

    @property
    def pid(self) -> int:
        """The process that was started."""
        return self._process.pid

    @property
    def log(self) -> str:
        """All that it and its children have written so far."""
        return self._log.read_text(errors="backslashreplace")

    def tree(self) -> list[int]:
        """The process and all that descend from it, parents before children."""
        children: dict[int, list[int]] = {}
        for stat in Path("/proc").glob("[0-9]*/stat"):
            # Processes end while this loop runs.
            with contextlib.suppress(OSError):
                children.setdefault(int(_stat(stat)[1]), []).append(int(stat.parent.name))
        found = [self.pid]
        for parent in found:
            found += children.get(parent, [])
        return found

    def freeze(self) -> None:
        """Stop the whole tree with SIGSTOP; returns when every process of it has stopped."""
        # Again until nobody moves: a child may have been born between the look and the signal.
        until(self._stopped, bool)

    def freeze_worker(self) -> None:
        """Stop the last of its children alone."""
        last = self.tree()[-1]
        os.kill(last, SIGSTOP)
        until(lambda: _is_still(last), bool)

    def thaw(self) -> None:
        """Let the whole tree go on."""
        self._send(SIGCONT)

    def must_run(self) -> None:
        """Fail the test where the program has ended by itself."""
        if self._process.poll() is not None:
            pytest.fail(f"{self.name} exited with {self._process.returncode}:\n{self.log}")

    def _stopped(self) -> bool:
        self._send(SIGSTOP)
        return all(_is_still(pid) for pid in self.tree())

    def _send(self, number: Signals) -> None:
        for pid in self.tree():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)


def _stat(path: Path) -> list[str]:
    """The fields behind the name, which may hold blanks and brackets: state, parent and so on."""
    return path.read_text(errors="replace").rpartition(")")[2].split()


def _is_still(pid: int) -> bool:
    try:
        return _stat(Path(f"/proc/{pid}/stat"))[0] in "TZX"
    except OSError:
        return True
