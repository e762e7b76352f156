"""The files of /proc that show one network namespace: net/* and sys/net/*.

Which namespace they show is settled when they are opened (proc_get_net in fs/proc/proc_net.c,
net_ctl_header_lookup in net/sysctl_net.c), so a process that is in another one may read them on.
"""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path
from typing import Final

from exporter import proc
from exporter.kernel.errors import from_os_error


class ProcfsFiles(ABC):
    """The files of one network namespace."""

    @abstractmethod
    def open(self, name: str) -> int:
        """Return a descriptor of a file, by its path below /proc, that stands at the beginning.

        Raises OSError or KernelError.
        """

    def close(self, name: str, descriptor: int) -> None:  # noqa: ARG002  (some files stay open)
        """Take back what `open` returned."""
        os.close(descriptor)

    def read(self, name: str) -> bytes:
        """Read a whole file. Raises KernelError."""
        return self._read(name, proc.read_to_end)

    def read_setting(self, name: str) -> bytes:
        """Read a file below sys that has one number; what is longer is cut. Raises KernelError."""
        return self._read(name, proc.read_setting)

    def _read(self, name: str, read: Callable[[int], bytes]) -> bytes:
        try:
            descriptor = self.open(name)
            try:
                return read(descriptor)
            finally:
                self.close(name, descriptor)
        except OSError as error:
            raise from_os_error(f"cannot read /proc/{name}", error) from error


class ProcfsDirectory(ProcfsFiles):
    """A mount of procfs, which shows the network namespace that the process is in."""

    def __init__(self, root: Path) -> None:
        self._root = str(root)

    def open(self, name: str) -> int:
        """Open a file by its path below the mount. Raises OSError."""
        return proc.open_file(f"{self._root}/{name}")


OWN_PROCFS: Final = ProcfsDirectory(Path("/proc"))
