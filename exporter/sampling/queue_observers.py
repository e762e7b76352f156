"""What learns of each change of a queue: the recorder, and the report in the log."""

from __future__ import annotations

import threading

from exporter.config.model import Config
from exporter.sampling.listener_state import ListenerState
from exporter.sampling.queue_report import QueueReport
from exporter.sampling.recorder import Recorder


class QueueObservers:
    """Both, for the listeners of all namespaces. The sampling thread calls it."""

    def __init__(self, config: Config) -> None:
        self.recorder = Recorder(config)
        self._report = QueueReport()

    def note_accept(self, state: ListenerState) -> None:
        """Take what the newest sample has changed in the accept queue of a listener."""
        self.recorder.note_accept(state)
        self._report.note(state)

    def note_folded(self, state: ListenerState) -> None:
        """Take the same of a folded listener; the report has what is told of those that it stands for."""
        self.recorder.note_accept(state)

    def note_syn_recv(self, state: ListenerState) -> None:
        """Take what the newest sample has changed in the SYN queue of a listener."""
        self.recorder.note_syn_recv(state)

    def tick(self, now: float, lock: threading.Lock) -> None:
        """Forget what is old, under the lock that readers of the recorder hold, and write what is new."""
        with lock:
            self.recorder.forget_old(now)
        self._report.report(now)
