"""Which of the namespaces that are kept open have lost the process or the name that stood for them.

An open socket keeps a network namespace, and with it the network devices of a container that has ended, so
it has to be closed at once. A pidfd becomes readable when its process ends (pidfd_open(2)), a name that is
removed is an event of inotify(7). All of them are looked at with one system call.
"""

from __future__ import annotations

import os
import select
import struct
from contextlib import suppress
from pathlib import Path
from typing import Final, Protocol

from exporter import libc
from exporter.kernel.errors import from_os_error

_IN_MOVED_FROM: Final = 0x40
_IN_DELETE: Final = 0x200
_IN_Q_OVERFLOW: Final = 0x4000
_IN_ONLYDIR: Final = 0x1000000
# struct inotify_event: watch, mask, cookie and the length of the name, which follows padded with NULs.
_EVENT: Final = struct.Struct("=iIII")
_READ_BYTES: Final = 65536
_MAX_EVENTS: Final = 64


class Watched(Protocol):
    """What is kept open: `pidfd` of the process that stands for it, or None and a name in the directory."""

    @property
    def pidfd(self) -> int | None:
        """The pidfd, None where it has a name."""
        ...

    @property
    def path_name(self) -> bytes:
        """The name in the directory, empty where it has none."""
        ...


class EndWatch:
    """Watches pidfds and the names in a directory. One thread uses it."""

    def __init__(self, directory: Path) -> None:
        """Watch nothing yet. Raises KernelError."""
        self._directory = os.fsencode(directory)
        self._by_pidfd: dict[int, Watched] = {}
        self._by_name: dict[bytes, Watched] = {}
        # By what each was added: its pidfd may have been closed, and be another's by now.
        self._keys: dict[Watched, int | bytes] = {}
        try:
            self._epoll = select.epoll()
            self._inotify = libc.call("inotify_init1", os.O_CLOEXEC | os.O_NONBLOCK)
            self._epoll.register(self._inotify, select.EPOLLIN)
        except OSError as error:
            raise from_os_error("cannot watch network namespaces", error) from error

    def fileno(self) -> int:
        """Return a descriptor that is readable while something that is watched has ended."""
        return self._epoll.fileno()

    def close(self) -> None:
        """Close the descriptors of the watch, and none of what is watched."""
        self._epoll.close()
        os.close(self._inotify)

    def add(self, watched: Watched) -> None:
        """Watch until it is discarded. Raises KernelError."""
        try:
            if watched.pidfd is not None:
                self._epoll.register(watched.pidfd, select.EPOLLIN)
                self._by_pidfd[watched.pidfd] = watched
                self._keys[watched] = watched.pidfd
            else:
                self._watch_directory()
                self._by_name[watched.path_name] = watched
                self._keys[watched] = watched.path_name
        except OSError as error:
            raise from_os_error("cannot watch a network namespace", error) from error

    def discard(self, watched: Watched) -> None:
        """Watch it no more, whether its pidfd is open or closed by now."""
        key = self._keys.pop(watched, None)
        if isinstance(key, int) and self._by_pidfd.get(key) is watched:
            del self._by_pidfd[key]
            # The kernel has done so when it was closed.
            with suppress(OSError):
                self._epoll.unregister(key)
        elif isinstance(key, bytes) and self._by_name.get(key) is watched:
            del self._by_name[key]

    def ended(self) -> list[Watched]:
        """Return those whose process or name is gone, until they are discarded; does not wait."""
        found = []
        for descriptor, _ in self._epoll.poll(0, _MAX_EVENTS):
            if descriptor == self._inotify:
                found += [self._by_name[name] for name in self._removed_names() if name in self._by_name]
            else:
                found.append(self._by_pidfd[descriptor])
        return found

    def _watch_directory(self) -> None:
        # The directory may have been made, or mounted, since; one that is watched already stays so.
        mask = _IN_DELETE | _IN_MOVED_FROM | _IN_ONLYDIR
        libc.call("inotify_add_watch", self._inotify, self._directory, mask)

    def _removed_names(self) -> set[bytes]:
        events = os.read(self._inotify, _READ_BYTES)
        removed: set[bytes] = set()
        at = 0
        while at < len(events):
            _, mask, _, length = _EVENT.unpack_from(events, at)
            at += _EVENT.size
            removed.add(events[at : at + length].rstrip(b"\0"))
            at += length
            if mask & _IN_Q_OVERFLOW:
                return set(self._by_name)
        return removed
