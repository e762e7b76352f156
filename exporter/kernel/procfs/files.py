"""The files of /proc that speak of one network namespace: net/* and sys/net/*.

Which namespace they speak of is settled when they are opened (proc_get_net in fs/proc/proc_net.c,
net_ctl_header_lookup in net/sysctl_net.c), so whoever opens them decides, and anyone may read on.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Self

from exporter.kernel.errors import from_errno

_PORTION = 65536


@dataclass(frozen=True, slots=True)
class ProcfsFiles:
    """How these files are opened. `open` takes a path below /proc, and raises OSError or KernelError."""

    open: Callable[[str], int]

    @classmethod
    def at(cls, root: Path) -> Self:
        """Open them under `root`, as the namespace that the caller is in sees them."""
        return cls(partial(_open, f"{root}/"))

    def read(self, name: str) -> bytes:
        """Read a whole file. Raises KernelError."""
        try:
            descriptor = self.open(name)
            try:
                portions = []
                while portion := os.read(descriptor, _PORTION):
                    portions.append(portion)
            finally:
                os.close(descriptor)
        except OSError as error:
            raise from_errno(f"cannot read /proc/{name}", error.errno or 0) from error
        return b"".join(portions)


def _open(root: str, name: str) -> int:
    return os.open(root + name, os.O_RDONLY | os.O_CLOEXEC)


OWN_PROCFS = ProcfsFiles.at(Path("/proc"))
