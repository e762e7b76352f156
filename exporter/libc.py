"""Functions of the C library that Python lacks. One that fails raises OSError with its errno."""

from __future__ import annotations

import ctypes
import os
from typing import Final

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


def call(name: str, *arguments: object) -> int:
    """Call a function that returns a number, which is negative where it fails. Raises OSError."""
    result: int = getattr(_LIBC, name)(*arguments)
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def prctl(option: int, *arguments: int | bytes) -> None:
    """Change this process, or thread: prctl(2). What is not given is 0. Raises OSError."""
    # The kernel reads each as unsigned long, and of a shorter one undefined bits (syscall(2)).
    padded = (*arguments, 0, 0, 0, 0)[:4]
    call("prctl", option, *(each if isinstance(each, bytes) else ctypes.c_ulong(each) for each in padded))
