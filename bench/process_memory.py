"""The memory of a process, from /proc."""

from __future__ import annotations

from pathlib import Path
from typing import Final

_KIBIBYTES: Final = "kB"


def memory(field: str, pid: int | str = "self") -> int:
    """Return a field of /proc/<pid>/status in bytes: VmRSS is resident memory, VmHWM its peak."""
    return fields(Path(f"/proc/{pid}/status"))[field]


def fields(path: Path) -> dict[str, int]:
    """Return the fields of a file such as status or smaps_rollup that are amounts of memory, in bytes."""
    found = {}
    for line in path.read_text(errors="replace").splitlines():
        name, _, value = line.partition(":")
        match value.split():
            case [number, unit] if unit == _KIBIBYTES:
                found[name] = int(number) * 1024
    return found
