"""The process in which a test with namespaces of its own runs."""

from __future__ import annotations

import gc
import os

from testbed import child
from testbed.child import Ending, Outcome

_SECONDS = 60.0


class _Cycle:
    """Garbage that closes a descriptor when it is collected."""

    def __init__(self) -> None:
        self.descriptor = os.dup(0)
        self.itself = self

    def __del__(self) -> None:
        os.close(self.descriptor)


def test_garbage_from_before_the_fork_closes_no_descriptor() -> None:
    gc.disable()
    descriptor = _Cycle().descriptor

    def body() -> Outcome:
        gc.collect()
        os.fstat(descriptor)
        return Outcome(Ending.PASSED)

    try:
        assert child.run(body, _SECONDS) == Outcome(Ending.PASSED)
    finally:
        gc.enable()
        gc.collect()
