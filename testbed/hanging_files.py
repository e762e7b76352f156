"""A file system whose files hang: FUSE without a server that answers.

Source: https://docs.kernel.org/filesystems/fuse.html, mount.fuse(8), include/uapi/linux/fuse.h.
"""

from __future__ import annotations

import ctypes
import os
import struct
import threading
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import pytest

from testbed import syscalls

_HEADER: Final = struct.Struct("=IIQ")
_REPLY_HEADER: Final = struct.Struct("=IiQ")
# struct fuse_init_out: version 7.31, and what the kernel may have in flight.
_INIT_OUT: Final = struct.pack("=IIIIHHIIHHI", 7, 31, 65536, 0, 0, 0, 131072, 1, 0, 0, 0) + bytes(28)
_INIT: Final = 26
_MAX_REQUEST_BYTES: Final = 1 << 20


class HangingFiles:
    """A mount at `folder`, in `with`: whoever looks up a file there waits until the end.

    `killable`: whether a fatal signal ends the wait. It does before a server has taken the request, and not
    after. Skips the test where nothing may be mounted.
    """

    def __init__(self, folder: Path, *, killable: bool = True) -> None:
        folder.mkdir(exist_ok=True)
        try:
            self._device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
            options = f"fd={self._device},rootmode=40000,user_id=0,group_id=0,allow_other"
            mount = (b"hanging", os.fsencode(folder), b"fuse", ctypes.c_ulong(0), options.encode())
            syscalls.call("mount", *mount)
        except OSError as refused:
            pytest.skip(f"cannot mount a FUSE file system: {refused}")
        self._folder = folder
        if not killable:
            threading.Thread(target=self._take_requests, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def end(self) -> None:
        """Let everyone go on who waits: with an error."""
        if self._device >= 0:
            syscalls.call("umount2", os.fsencode(self._folder), _MNT_FORCE | _MNT_DETACH)
            os.close(self._device)
            self._device = -1

    def _take_requests(self) -> None:
        """Answer the first request, which the kernel makes by itself, and no other."""
        try:
            while request := os.read(self._device, _MAX_REQUEST_BYTES):
                _, operation, unique = _HEADER.unpack_from(request)
                if operation == _INIT:
                    size = _REPLY_HEADER.size + len(_INIT_OUT)
                    os.write(self._device, _REPLY_HEADER.pack(size, 0, unique) + _INIT_OUT)
        except OSError:
            # The end.
            return


_MNT_FORCE: Final = 1
_MNT_DETACH: Final = 2
