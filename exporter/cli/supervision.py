"""What the exporter does when the process that starts its brokers again has ended: it ends too.

Nobody else could start the brokers, as this process has given up the capabilities for it. Its service
manager, such as systemd, starts everything anew.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

_NAME: Final = "the process that starts the brokers again"

log = logging.getLogger(__name__)


class Supervision:
    """Waits for the end of the supervisor. `lost` tells whether it has ended.

    Once it has, the brokers have ended as well, and other network namespaces are sampled no more.
    """

    def __init__(self, supervisor: int | None) -> None:
        """Take the process, None where there is none."""
        self.lost = False
        self._supervisor = supervisor

    def watch(self, ended: Callable[[], object]) -> None:
        """Call `ended` once, in another thread, when it ends or has ended."""
        if self._supervisor is not None:
            # A thread that waits needs neither pidfds, which came with Linux 5.3, nor a handler of signals.
            threading.Thread(target=self._wait, args=(ended,), name="supervision", daemon=True).start()

    def _wait(self, ended: Callable[[], object]) -> None:
        status = 0
        # Somebody else may have waited for it.
        with suppress(ChildProcessError):
            _, status = os.waitpid(self._supervisor or 0, 0)
        self.lost = True
        log.error("%s has ended: %s; this process ends, to be started anew", _NAME, _cause(status))
        ended()


def _cause(status: int) -> str:
    code = os.waitstatus_to_exitcode(status)
    return f"killed by signal {-code}" if code < 0 else f"status {code}"
