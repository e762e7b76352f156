"""A process that may open nothing more, so that system calls fail with EMFILE."""

from __future__ import annotations

import gc
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def no_free_descriptor(spare: int = 0) -> Iterator[None]:
    """Leave `spare` numbers of descriptors free, and no more, until the end."""
    # What is garbage may have a descriptor, which would be free when it is collected.
    gc.collect()
    gc.disable()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    # The lowest free number is the next that is given.
    lowest_free = os.dup(0)
    filled = [lowest_free]
    highest = max(map(int, os.listdir("/proc/self/fd")))  # noqa: PTH208  (only names are needed)
    while filled[-1] < highest:
        filled.append(os.dup(0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (filled[-1] + 1 + spare, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        for descriptor in filled:
            os.close(descriptor)
        gc.enable()
