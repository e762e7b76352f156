"""A child process that gives something up for good, and tells what it can still do."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Mapping

from testbed import syscalls

WORKS = "works"


def outcomes(confine: Callable[[], object], calls: Mapping[str, Callable[[], object]]) -> dict[str, str]:
    """Confine a child process, and return for each call what it fails with there, or that it works."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            syscalls.prctl(38, 1)  # PR_SET_NO_NEW_PRIVS
            confine()
            for name, call in calls.items():
                os.write(writing, f"{name}={_outcome(call)}\n".encode())
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as lines:
        found = dict(line.rstrip("\n").split("=") for line in lines)
    os.waitpid(child, 0)
    return found


def _outcome(call: Callable[[], object]) -> str:
    try:
        call()
    except OSError as error:
        return errno.errorcode.get(error.errno or 0, str(error))
    except Exception as error:  # noqa: BLE001  (it is compared with what is expected)
        return type(error).__name__
    return WORKS
