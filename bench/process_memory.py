"""The memory of a process, from /proc."""

from __future__ import annotations

from pathlib import Path


def memory(field: str, pid: int | str = "self") -> int:
    """Return a field of /proc/<pid>/status in bytes: VmRSS is resident memory, VmHWM its peak."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(field)
