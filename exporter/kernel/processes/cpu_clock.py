"""The processor time of another process, read from its clock.

Source: clock_getcpuclockid(3); the kernel encodes the process in the number of the clock
(include/linux/posix-timers_types.h, make_process_cpuclock).
"""

from __future__ import annotations

import time
from typing import Final

_CPUCLOCK_SCHED: Final = 2


def process_seconds(pid: int) -> float:
    """Return the processor time that a process has used, in seconds; 0 where there is no such process."""
    try:
        return time.clock_gettime(~pid << 3 | _CPUCLOCK_SCHED)
    except OSError:
        return 0.0
