"""The clocks that the program reads, in one object, so that a test can hand in its own."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Clock:
    """Four clocks, each in seconds.

    `monotonic` says when a sample is taken, `wall` is the time of day since 1970, `elapsed` measures how
    long something took, and `cpu` is the processor time that the calling thread has used.
    """

    monotonic: Callable[[], float] = time.monotonic
    wall: Callable[[], float] = time.time
    elapsed: Callable[[], float] = time.perf_counter
    cpu: Callable[[], float] = time.thread_time


SYSTEM_CLOCK: Final = Clock()
