"""The screen of a program in a terminal of its own, and keys that are pressed.

It is that of pyte, which understands what programs send to a VT100 and its successors.
"""

from __future__ import annotations

import fcntl
import os
import select
import signal
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Self

import pyte

from testbed import process_tree
from testbed.terminal import environment, opened
from testbed.waiting import DEADLINE_SECONDS, until

_READ_BYTES = 65536
# The screen that a program draws on while it runs, in place of the one of the shell (xterm).
_OTHER_SCREEN_ENDS = b"\x1b[?1049l"


class Screen:
    """Runs a program until the end of a `with` block, in a terminal with so many columns and rows."""

    def __init__(  # noqa: PLR0913 # each is named where it is given
        self,
        command: Sequence[str],
        *,
        columns: int = 80,
        rows: int = 24,
        cwd: Path,
        env: Mapping[str, str] | None = None,
        before_exec: Callable[[], None] | None = None,
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._received = b""
        self._terminal, inner = opened(rows, columns)

        def prepare() -> None:
            # Ignored where the tests run in the background of a shell without job control.
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            # So that control characters become signals.
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)
            if before_exec is not None:
                before_exec()

        try:
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment({"TERM": "xterm-256color", **(env or {})}),
                stdin=inner,
                stdout=inner,
                stderr=inner,
                start_new_session=True,
                preexec_fn=prepare,  # noqa: PLW1509 # a test has one thread
            )
        finally:
            os.close(inner)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._process.poll() is None:
            process_tree.kill(self._process.pid)
            self._process.wait()
        os.close(self._terminal)

    @property
    def lines(self) -> list[str]:
        """What the screen shows, without blanks at the end of lines."""
        while select.select([self._terminal], [], [], 0.0)[0]:
            try:
                data = os.read(self._terminal, _READ_BYTES)
            except OSError:
                # Nobody has the terminal open any more.
                break
            self._received += data
            self._stream.feed(data)
        return [line.rstrip() for line in self._screen.display]

    @property
    def received(self) -> bytes:
        """All that the program has written so far, as far as `lines` has read it."""
        return self._received

    @property
    def is_restored(self) -> bool:
        """Whether the program has given the screen of the shell back."""
        return _OTHER_SCREEN_ENDS in self._received

    def press(self, keys: str) -> None:
        """Send keys."""
        os.write(self._terminal, keys.encode())

    def signal(self, number: int) -> None:
        """Send a signal to the program."""
        self._process.send_signal(number)

    def until(self, condition: Callable[[list[str]], bool]) -> list[str]:
        """Return the lines once the condition holds for them; fails the test at the deadline."""
        return until(lambda: self.lines, condition)

    def until_shown(self, *texts: str) -> str:
        """Return the line that has all of these texts, once there is one; fails the test at the deadline."""

        def found() -> list[str]:
            return [line for line in self.lines if all(text in line for text in texts)]

        shown = until(lambda: (found(), self._screen.display), lambda pair: bool(pair[0]))
        return shown[0][0]

    def wait(self) -> int:
        """Return the exit status of the program."""
        with suppress(OSError):
            until(lambda: (self.lines, self._process.poll()), lambda pair: pair[1] is not None)
        return self._process.wait(DEADLINE_SECONDS)
