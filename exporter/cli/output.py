"""The standard streams of a command: what it prints, and what it says where it fails."""

from __future__ import annotations

import io
import os
import select
import sys
from contextlib import suppress
from typing import Final, TextIO

from exporter.errors import RunError

STANDARD_ERROR: Final = 2
# The end of the program waits no longer for a reader of its last words.
_ERROR_SECONDS: Final = 1.0


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
        _discard(sys.stdout)
        raise
    except OSError as error:
        _discard(sys.stdout)
        message = f"cannot write to the standard output: {error.strerror}"
        raise RunError(message) from error


def write_error(text: str) -> None:
    """Write lines to the standard error; what cannot be written is lost, since nothing else could say so.

    A pipe that nobody reads gets as many lines as it has space for.
    """
    try:
        for line in text.splitlines():
            if not _takes_a_line(sys.stderr):
                break
            print(line, file=sys.stderr)
        sys.stderr.flush()
    except (OSError, ValueError):
        _discard(sys.stderr)


def write_progress(text: str) -> None:
    """Write to the standard error what is erased soon; where it cannot be written, it is not missed."""
    with suppress(OSError, ValueError):
        if _takes_a_line(sys.stderr):
            sys.stderr.write(text)
            sys.stderr.flush()


def prepare_streams() -> None:
    """Open the standard streams without which the program was started, as by `>&-` in a shell.

    Otherwise a socket would get the number of one. The output is opened for reading, so that to write to it
    is an error. From here on, characters that the encoding of a stream lacks are written as escapes.
    """
    for descriptor, access in enumerate((os.O_RDONLY, os.O_RDONLY, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            _open_nothing(access)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _open_nothing(access: int) -> None:
    """Open what has nothing to read, as the lowest descriptor that is free."""
    try:
        os.open(os.devnull, access)
    except OSError:
        # A container may lack it. A directory is always there, and can be neither read nor written.
        os.open("/", os.O_RDONLY | os.O_DIRECTORY)


def _takes_a_line(stream: TextIO) -> bool:
    """Tell whether a write of a few thousand bytes is not going to wait; a file always takes it."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return True
    poll = select.poll()
    poll.register(descriptor, select.POLLOUT)
    return bool(poll.poll(_ERROR_SECONDS * 1000))


def _discard(stream: TextIO) -> None:
    """Keep the interpreter from writing again, at its exit, what could not be written."""
    with suppress(OSError, ValueError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())
        os.close(null)
