"""The processes of the host as the broker shows them, for an exporter that may not read them itself."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from exporter import proc
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.kernel.processes.process import ProcfsProcesses


class BrokeredProcesses(ProcfsProcesses):
    """Returns what Processes does, for a process with the capabilities of the broker."""

    def __init__(self, broker: BrokerClient) -> None:
        self._broker = broker
        self.may_see_sockets = broker.may_see_sockets

    def _pids(self) -> list[int]:
        return self._broker.pids()

    def _socket_inodes(self, pid: int) -> Iterator[Collection[int]]:
        return self._broker.sockets(pid)

    def _file(self, pid: int, name: str) -> bytes:
        return proc.read_descriptor(self._broker.open_of_process(pid, name))

    def _link(self, pid: int, name: str) -> bytes:
        return self._broker.link_of_process(pid, name)
