"""A pseudo-terminal that a program writes to."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
import termios
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

# Whoever runs the tests may have set them.
_DISPLAY_VARIABLES = ("NO_COLOR", "COLUMNS", "LINES")


def opened(rows: int, columns: int) -> tuple[int, int]:
    """Open a terminal of this size: the end of the one who looks at it, and that of the program."""
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    return ours, theirs


def environment(variables: Mapping[str, str]) -> dict[str, str]:
    """The environment of a program on a terminal of a test, with these variables on top."""
    inherited = {name: value for name, value in os.environ.items() if name not in _DISPLAY_VARIABLES}
    return {**inherited, **variables}


def written(
    command: Sequence[str],
    columns: int,
    variables: Mapping[str, str],
    preexec: Callable[[], object] | None = None,
) -> list[str]:
    """Run a program on a terminal of this width, and return the lines that it writes there.

    `variables` come on top of the environment. Fails where the program does.
    """
    ours, theirs = opened(24, columns)
    with subprocess.Popen(
        command,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env=environment({"TERM": "xterm", "PYTHONIOENCODING": "utf-8", **variables}),
        preexec_fn=preexec,  # noqa: PLW1509 # its callers have one thread
    ) as process:
        os.close(theirs)
        found = b""
        # Linux ends the input of a terminal whose other end is closed with EIO.
        with suppress(OSError):
            while chunk := os.read(ours, 65_536):
                found += chunk
        os.close(ours)
        assert process.wait() == 0, found
    return found.decode().replace("\r\n", "\n").splitlines()
