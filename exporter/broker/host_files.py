"""Files of this host that only root may read: those that the user has named, and those of container runtimes.

The exporter has become another user and asks for them here. A path that it sends is resolved first, and then
has to be one under which a runtime keeps the names of its containers, or its own configuration: nothing else
is read, whatever links lead to it. What is read is not parsed.
"""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

from exporter.broker.process_files import MAX_FILE_BYTES, FileContent
from exporter.broker.regular_file import expect_regular, read_found, read_whole
from exporter.broker.rooted_path import Resolve, open_path

# The names that are read of a directory; more than one host has containers.
MAX_NAMES: Final = 1 << 16
# Podman has one file for all containers of a host.
MAX_RUNTIME_BYTES: Final = 8 << 20

_ID: Final = r"[0-9a-f]{64}"
# Clients of containerd may choose the id (pkg/identifiers/validate.go), and it has no other name then.
_TASK: Final = r"[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*"
_STORAGE: Final = r"(?:overlay|vfs|btrfs|zfs)-containers"
_STORE: Final = r"[0-9a-f]{8}/names"
_FILES: Final = re.compile(
    # Docker; containers/storage, which Podman and CRI-O have; containerd; nerdctl (exporter/owners/runtimes).
    rf"/.+/(?:containers/{_ID}/config\.v2\.json"
    rf"|{_STORAGE}/(?:volatile-)?containers\.json"
    rf"|{_STORAGE}/{_ID}/userdata/config\.json"
    rf"|io\.containerd\.runtime\.v2\.task/[^/]+/{_TASK}/config\.json"
    rf"|{_STORE}/[^/]+/[^/]+"
    r"|daemon\.json|containerd/config\.toml|containerd\.toml|crio\.conf|storage\.conf)"
)
# Directories that are listed whole. The kubelet's are in one place.
_DIRECTORIES: Final = re.compile(rf"/.+/(?:{_STORE}(?:/[^/]+)?|io\.containerd\.runtime\.v2\.task)")
_LOGS: Final = re.compile(r"/var/log/(?:containers|pods(?:/(?!\.\.?$)[^/]+)?)")
# Of any other one these names are told: Docker's data roots by user (userns-remap), nerdctl's data stores.
_NAMES: Final = re.compile(r"\d+\.\d+|[0-9a-f]{8}")
# What lies below it may be the root of another process.
_PROC: Final = "/proc/"


@dataclass(frozen=True, slots=True)
class NamedFile:
    """A file that the user has named at the start, by its place among them."""

    index: int


@dataclass(frozen=True, slots=True)
class RuntimeFile:
    """A file of a container runtime, by its absolute path."""

    path: bytes


@dataclass(frozen=True, slots=True)
class RuntimeDirectory:
    """A directory of a container runtime, by its absolute path."""

    path: bytes


HostFile = NamedFile | RuntimeFile | RuntimeDirectory


class HostFileReader:
    """Reads files of this host, and waits for them as long as it takes."""

    def __init__(self, named: Sequence[str] = (), resolve: Callable[[str], str] = os.path.realpath) -> None:
        """Take the paths of files that the user has named, and what resolves the links of a path."""
        self._named = named
        self._resolve = resolve

    def read(self, file: HostFile) -> FileContent:
        """Return the content of a file; of a directory names in it, each followed by NUL but the last.

        Of a directory with more than MAX_NAMES entries some are left out.

        Raises OSError: EACCES for a file that is none of these, EFBIG where it is larger than 1 MiB, or than
        8 MiB where it is a runtime's, EINVAL or EISDIR where it is no regular file, and what the system calls
        fail with.
        """
        match file:
            case NamedFile(index):
                return self._read_named(index)
            case RuntimeFile(path):
                return self._read_of_runtime(os.fsdecode(path))
            case RuntimeDirectory(path):
                names = map(os.fsencode, self._names(os.fsdecode(path)))
                return FileContent(b"\0".join(names))

    def _read_named(self, index: int) -> FileContent:
        if not 0 <= index < len(self._named):
            raise _failure(errno.EACCES)
        # Without O_NONBLOCK, opening a named pipe waits for a writer.
        descriptor = os.open(self._named[index], os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            expect_regular(descriptor)
            return FileContent(read_whole(descriptor, MAX_FILE_BYTES))
        finally:
            os.close(descriptor)

    def _read_of_runtime(self, path: str) -> FileContent:
        found = self._found(path)
        try:
            if not _FILES.fullmatch(_path_of(found)):
                raise _failure(errno.EACCES)
            return FileContent(read_found(found, MAX_RUNTIME_BYTES))
        finally:
            os.close(found)

    def _names(self, path: str) -> list[str]:
        found = self._found(path)
        try:
            whole = _LOGS.fullmatch(path) or _DIRECTORIES.fullmatch(_path_of(found))
            with os.scandir(f"/proc/self/fd/{found}") as entries:
                names = (entry.name for entry in entries)
                return list(islice(names if whole else filter(_NAMES.fullmatch, names), MAX_NAMES))
        finally:
            os.close(found)

    def _found(self, path: str) -> int:
        """Return a descriptor of what a path leads to, which is not opened yet (O_PATH, open(2))."""
        if path.startswith(_PROC) or not path.startswith("/"):
            raise _failure(errno.EACCES)
        real = os.fsencode(self._resolve(path))
        root = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            return open_path(root, real, os.O_PATH, Resolve.NO_SYMLINKS)
        finally:
            os.close(root)


def _path_of(descriptor: int) -> str:
    return os.readlink(f"/proc/self/fd/{descriptor}")  # noqa: PTH115


def _failure(number: int) -> OSError:
    return OSError(number, os.strerror(number))
