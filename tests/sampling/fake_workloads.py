"""Pods and containers that a test makes."""

from __future__ import annotations

from collections.abc import Collection

from exporter.kernel.errors import KernelError
from exporter.owners.workloads import Workload


class FakeWorkloads:
    """Stands in for Workloads.

    `running` has the workload of each process, `others` that of any other, None where it is not known.
    `asked` has the processes that were asked for.
    """

    def __init__(self, others: Workload | None = None) -> None:
        self.running: dict[int, Workload] = {}
        self.others = others
        self.asked: list[int] = []
        self.error: KernelError | None = None

    def run(self, pid: int, name: str = "", started: int = 0) -> None:
        """Let a process belong to the pod or container of this name."""
        self.running[pid] = Workload(name, started)

    def find(self, pids: Collection[int]) -> dict[int, Workload]:
        """Return those that are known."""
        self.asked += pids
        if self.error is not None:
            raise self.error
        found = {pid: self.running.get(pid, self.others) for pid in pids}
        return {pid: workload for pid, workload in found.items() if workload is not None}
