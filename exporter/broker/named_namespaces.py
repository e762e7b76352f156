"""The network namespaces that have a name in a directory, as ip-netns(8) gives them: mounts of nsfs."""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from exporter.broker.namespace_type import is_network_namespace

# Inode, change and the length of the name, which follows.
_HEAD: Final = struct.Struct("=QQB")
_OWN: Final = "/proc/self/ns/net"
# The most names in one message: each has 255 bytes at most (NAME_MAX).
MAX_NAMES: Final = 128


@dataclass(frozen=True, slots=True)
class NamedNamespace:
    """A namespace that has a name: its inode, and when its file was changed, in nanoseconds (st_ctime)."""

    name: bytes
    inode: int
    changed: int


class NamedNamespaces:
    """Those in a directory."""

    def __init__(self, directory: bytes) -> None:
        self._directory = directory
        # Any namespace may be mounted there. Each is looked at once: what is open keeps it.
        self._is_network: dict[NamedNamespace, bool] = {}

    def find(self) -> list[NamedNamespace]:
        """Return them in the order of their names; none where there is no directory. Raises OSError."""
        # Files on another file system are no mounts of a namespace.
        device = os.stat(_OWN).st_dev  # noqa: PTH116
        try:
            names = sorted(os.listdir(self._directory))  # noqa: PTH208
        except FileNotFoundError:
            return []
        found = [
            NamedNamespace(name, status.st_ino, status.st_ctime_ns)
            for name in names
            if (status := _status(self._path(name))) is not None and status.st_dev == device
        ]
        known = self._is_network
        self._is_network = {
            each: known[each] if each in known else is_network_namespace(self._path(each.name))
            for each in found
        }
        return [each for each in found if self._is_network[each]]

    def _path(self, name: bytes) -> bytes:
        return os.path.join(self._directory, name)  # noqa: PTH118


def pack_names(named: Iterable[NamedNamespace]) -> bytes:
    """Encode namespaces for a message."""
    return b"".join(_HEAD.pack(each.inode, each.changed, len(each.name)) + each.name for each in named)


def unpack_names(payload: bytes) -> Iterator[NamedNamespace]:
    """Decode namespaces. Raises ValueError or struct.error."""
    at = 0
    while at < len(payload):
        inode, changed, length = _HEAD.unpack_from(payload, at)
        at += _HEAD.size
        name = payload[at : at + length]
        at += length
        if len(name) != length or not name or not is_file_name(name):
            raise ValueError(f"no name of a namespace: {name!r}")
        yield NamedNamespace(name, inode, changed)


def is_file_name(name: bytes) -> bool:
    """Tell whether a name is that of a file in the directory itself, and one that a system call takes."""
    return b"/" not in name and b"\0" not in name and name not in (b".", b"..")


def _status(path: bytes) -> os.stat_result | None:
    """Return what a file is, without following a link, None where it was removed."""
    try:
        return os.lstat(path)
    except FileNotFoundError:
        return None
