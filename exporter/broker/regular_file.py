"""Reads files of which it is looked at first what they are: to open a device or a named pipe has effects."""

from __future__ import annotations

import errno
import os
import stat

from exporter.broker.process_files import read_up_to


def expect_regular(descriptor: int) -> os.stat_result:
    """Return the status of a regular file. Raises OSError: EISDIR for a directory, EINVAL for any other."""
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        number = errno.EISDIR if stat.S_ISDIR(status.st_mode) else errno.EINVAL
        raise OSError(number, os.strerror(number))
    return status


def read_whole(descriptor: int, max_bytes: int) -> bytes:
    """Return the content of a file. Raises OSError: EFBIG where it is larger, and what read(2) fails with."""
    content = read_up_to(descriptor, max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG))
    return content


def read_found(found: int, max_bytes: int) -> bytes:
    """Return the content of a regular file that was found, and not opened yet (O_PATH, open(2)).

    A file of the kernel, which has no size and may be consumed by reading, counts as empty. Raises OSError as
    the others do, and what open(2) fails with.
    """
    if expect_regular(found).st_size == 0:
        return b""
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    descriptor = os.open(f"/proc/self/fd/{found}", flags)
    try:
        return read_whole(descriptor, max_bytes)
    finally:
        os.close(descriptor)
