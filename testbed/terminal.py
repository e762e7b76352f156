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
DISPLAY_VARIABLES = ("NO_COLOR", "COLUMNS", "LINES")


def written(
    command: Sequence[str],
    columns: int,
    variables: Mapping[str, str],
    preexec: Callable[[], object] | None = None,
) -> list[str]:
    """Run a program on a terminal of this width, and return the lines that it writes there.

    `variables` come on top of the environment. Fails where the program does.
    """
    ours, theirs = os.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in DISPLAY_VARIABLES}
    with subprocess.Popen(
        command,
        stdout=theirs,
        stderr=subprocess.DEVNULL,
        env={**inherited, "TERM": "xterm", "PYTHONIOENCODING": "utf-8", **variables},
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
