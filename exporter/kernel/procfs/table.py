"""The base of what reads the listeners of one socket family from its file below /proc/net."""

from __future__ import annotations

from abc import ABC, abstractmethod

from exporter.kernel.procfs.files import ProcfsFiles
from exporter.kernel.records import Listener, QueueReading

# A socket that was found, and its queue.
Found = tuple[Listener, QueueReading]


class ProcfsTable(ABC):
    """Where /proc/net shows the listeners of one family, without backlogs and drops."""

    @abstractmethod
    def listeners(self, files: ProcfsFiles) -> list[Found]:
        """Read all listeners. Raises KernelError."""
