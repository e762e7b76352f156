"""The calling thread in another network namespace."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from testbed import syscalls


@contextmanager
def entered(pid: int) -> Iterator[None]:
    """Be in the network namespace of a process while this context is open; it needs CAP_SYS_ADMIN.

    Only the calling thread is. Sockets that it opens stay in there, and processes that it starts do too.
    """
    own = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
    try:
        other = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            syscalls.call("setns", other, syscalls.CLONE_NEWNET)
        finally:
            os.close(other)
        try:
            yield
        finally:
            syscalls.call("setns", own, syscalls.CLONE_NEWNET)
    finally:
        os.close(own)
