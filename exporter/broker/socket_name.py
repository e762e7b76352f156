"""The name of a unix socket, and where its process finds it."""

from __future__ import annotations

import errno
import os
import posixpath
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from exporter import proc
from exporter.broker.process_files import opened
from exporter.broker.rooted_path import Resolve, open_path

# Paths that each process resolves to something else; /dev/fd is a link to /proc/self/fd.
_OWN: Final = re.compile(
    rb"/+(?:proc/+(?:self|thread-self|(?P<pid>[0-9]+))/+(?P<link>cwd|root|fd/+(?P<number>[0-9]+))"
    rb"|dev/+fd/+(?P<short>[0-9]+))/+(?P<rest>.+)",
    re.DOTALL,
)
_NUMBERS: Final = re.compile(rb"^NStgid:(.*)$", re.MULTILINE)


class SocketName:
    """The name of a socket, and how its process resolves it.

    `path` is absolute as seen from the root of the process, empty where it has none there. `start` is by what
    in /proc/<pid> the name begins: `root`, `cwd`, which the process may have changed since, or a descriptor,
    which may be something else by now. Methods raise OSError.
    """

    def __init__(self, process: int, root: int, name: bytes) -> None:
        """Take the open directory of the process in /proc, and its root or another one."""
        self._process = process
        self._root = root
        own = self._own(name)
        self.start = "root" if name.startswith(b"/") else "cwd"
        self._rest = name
        if own is not None:
            number = own["number"] or own["short"]
            self.start = f"fd/{number.decode()}" if number else own["link"].decode()
            self._rest = b"/" * (self.start == "root") + own["rest"]
        self.path = self._absolute()

    @property
    def by_descriptor(self) -> bool:
        """Whether it begins by a descriptor of the process."""
        return self.start not in {"root", "cwd"}

    @property
    def last(self) -> bytes:
        """The last component."""
        return posixpath.basename(self._rest)

    def renamed(self, last: bytes) -> bytes:
        """Return `path` with another last component."""
        return posixpath.join(posixpath.dirname(self.path), last) if self.path else b""

    @contextmanager
    def directory(self) -> Iterator[int]:
        """Open the directory that it is in."""
        descriptor = self._open_directory(posixpath.dirname(self._rest))
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def target(self) -> os.stat_result:
        """Return the status of what it leads to where its last component is a symbolic link."""
        descriptor = open_path(self._root, self.path, os.O_PATH, Resolve.IN_ROOT)
        try:
            return os.fstat(descriptor)
        finally:
            os.close(descriptor)

    def _own(self, name: bytes) -> re.Match[bytes] | None:
        """Return what a name consists of that begins in the process's own directory in /proc."""
        own = _OWN.fullmatch(name)
        return None if own is None or (own["pid"] and own["pid"] not in self._numbers()) else own

    def _numbers(self) -> list[bytes]:
        """Return the numbers of the process: one in each PID namespace that it is in (proc_pid_status(5))."""
        with opened(self._process, "status", os.O_RDONLY) as descriptor:
            found = _NUMBERS.search(proc.read_to_end(descriptor))
        return found[1].split() if found is not None else []

    def _absolute(self) -> bytes:
        if self.start == "root":
            return self._rest
        root = os.fsencode(os.readlink("root", dir_fd=self._process)).rstrip(b"/")
        try:
            start = os.fsencode(os.readlink(self.start, dir_fd=self._process))
        except FileNotFoundError as error:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF)) from error
        # What is no file, such as a pipe, has no path, and what lies outside of the root none that counts.
        if not start.startswith(root + b"/") and start != root:
            return b""
        # The kernel adds ` (deleted)` to the path of a removed directory, and another may be called so. In a
        # removed one is no file any more, and what `..` leads to has a path without that.
        return posixpath.normpath(b"/" + (start[len(root) :] + b"/" + self._rest).lstrip(b"/"))

    def _open_directory(self, path: bytes) -> int:
        flags = os.O_PATH | os.O_DIRECTORY
        if self.start == "root":
            return open_path(self._root, path, flags, Resolve.IN_ROOT)
        with opened(self._process, self.start, flags) as start:
            if not path:
                return os.dup(start)
            try:
                return open_path(start, path, flags, Resolve.BENEATH)
            except OSError as error:
                # A `..`, or a link to another place.
                if error.errno != errno.EXDEV or not self.path:
                    raise
        return open_path(self._root, posixpath.dirname(self.path), flags, Resolve.IN_ROOT)
