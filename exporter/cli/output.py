"""The standard output of a command."""

from __future__ import annotations

import os
import sys

from exporter.errors import RunError


def write(content: str | bytes) -> None:
    """Write a text, or bytes as they are, and flush.

    Raises RunError where that fails, and BrokenPipeError where the reader has closed it, as `head` does.
    """
    try:
        if isinstance(content, bytes):
            sys.stdout.buffer.write(content)
        else:
            sys.stdout.write(content)
        sys.stdout.flush()
    except BrokenPipeError:
        _discard()
        raise
    except OSError as error:
        _discard()
        message = f"cannot write to the standard output: {error.strerror}"
        raise RunError(message) from error


def open_closed_streams() -> None:
    """Open the standard streams without which the program was started, as by `>&-` in a shell.

    Otherwise a socket would get the number of one. The output is opened for reading, so that to write to it
    is an error.
    """
    for descriptor, access in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, access)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def _discard() -> None:
    """Keep the interpreter from writing again, at its exit, what could not be written."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
