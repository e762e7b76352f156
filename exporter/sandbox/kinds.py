"""Which ways of restricting a process this kernel has, and lets this program use."""

from __future__ import annotations

import enum
import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Final

from exporter import libc
from exporter.sandbox import landlock, profiles, seccomp

_PR_SET_NO_NEW_PRIVS: Final = 38

# By the process and the kind, whether it is in force.
Sandboxes = Mapping[str, Mapping[str, bool]]


class Kind(enum.IntFlag):
    """A way of restricting a process."""

    SECCOMP = 1
    LANDLOCK = 2


NONE: Final = Kind(0)
ALL: Final = Kind.SECCOMP | Kind.LANDLOCK


def available() -> Kind:
    """Return the kinds that work here, found out by a child process that uses them. Raises OSError.

    Neither the version of the kernel nor a list would tell: a container runtime or a service manager may
    forbid the calls. To be called before there are threads.
    """
    child = os.fork()
    if child == 0:
        found = NONE
        try:
            libc.prctl(_PR_SET_NO_NEW_PRIVS, 1)
            with suppress(OSError):
                landlock.read_only()
                found |= Kind.LANDLOCK
            with suppress(OSError):
                seccomp.install(profiles.exporter())
                found |= Kind.SECCOMP
        finally:
            os._exit(found)
    _, status = os.waitpid(child, 0)
    # One that was killed could use none of them.
    return Kind(os.WEXITSTATUS(status)) if os.WIFEXITED(status) else NONE
