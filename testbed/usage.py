"""What a process and all that descend from it use of memory and processor time."""

from __future__ import annotations

import contextlib
from pathlib import Path

from testbed.process_tree import descendants

_NANOSECONDS = 1e9
_KIB_OF_MIB = 1024


def memory_mebibytes(pid: int) -> float:
    """Return the memory of all of them; of what is shared each has its part (PSS of proc_pid_smaps(5))."""
    total = 0
    for each in descendants(pid):
        # Processes end while this loop runs.
        with contextlib.suppress(OSError):
            smaps = Path(f"/proc/{each}/smaps_rollup").read_text()
            total += int(smaps.partition("\nPss:")[2].split()[0])
    return total / _KIB_OF_MIB


def cpu_seconds(pid: int) -> float:
    """Return the processor time of all threads that are alive, in seconds."""
    total = 0
    for each in descendants(pid):
        for file in Path(f"/proc/{each}/task").glob("*/schedstat"):
            with contextlib.suppress(OSError):
                total += int(file.read_text().split()[0])
    return total / _NANOSECONDS
