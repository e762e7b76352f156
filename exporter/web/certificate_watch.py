"""Looks for changed certificates, aside: their file system may not answer."""

from __future__ import annotations

import threading
from collections.abc import Callable

_INTERVAL_SECONDS = 1.0


class CertificateWatch:
    """Calls `check` each second, in a thread that does not keep the program from ending."""

    def __init__(self, check: Callable[[], None], interval_seconds: float = _INTERVAL_SECONDS) -> None:
        self._check = check
        self._interval_seconds = interval_seconds
        self._stopped = threading.Event()

    def start(self) -> None:
        """Look from now on. The thread has the privileges that the caller has now."""
        threading.Thread(target=self._run, name="certificates", daemon=True).start()

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()

    def _run(self) -> None:
        while not self._stopped.wait(self._interval_seconds):
            self._check()
