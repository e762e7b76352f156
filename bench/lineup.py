"""Who takes part in a measurement, and who could not come."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack

from bench.cost import Missing
from bench.program import Built, ProgramMissingError
from bench.subject import Command, Floor, NamespacesFloor, NodeExporter, Resident, Subject, python
from exporter.kernel.sock_diag import requests

OURS = "this exporter"
FLOOR = "floor in C"
OURS_QUIET = "this exporter, nothing coming in, mean of a minute"
SS = "ss"
RAINDROPS = "raindrops"
PROCFS = "/proc/net loop"
PYROUTE2 = "pyroute2 DiagSocket"
WALK = "walk in C"
SYN_RECV = "SYN_RECV sample"
SYN_RECV_MEAN = "SYN_RECV sample, mean of a minute"
COUNT = "walk and count"


class Lineup:
    """The subjects of one scene; who fails to start is noted, and the others go on."""

    def __init__(self, built: Built, within: ExitStack) -> None:
        """Start with nobody; processes end with `within`."""
        self._built = built
        self._within = within
        self.subjects: list[Subject] = []
        self.missing: list[Missing] = []

    def floor(self, request: bytes = requests.TCP_LISTENERS, name: str = FLOOR) -> None:
        """Add the program in C that sends this request."""
        self.subjects.append(Floor(self._built.floor, request, name))

    def floor_of_namespaces(self, pids: Sequence[int]) -> None:
        """Add the program in C that asks for all listeners in the namespaces of these processes."""
        asked = (requests.TCP_LISTENERS, requests.UNIX_LISTENERS)
        self.subjects.append(NamespacesFloor(self._built.floor_namespaces, asked, pids, FLOOR))

    def worker(self, name: str, kind: str) -> Resident:
        """Add one of our Python workers."""
        resident = python(name, "bench.worker", kind, within=self._within)
        self.subjects.append(resident)
        return resident

    def others(self, *, slow: bool = True) -> None:
        """Add the programs of others that list TCP listeners; `slow` ones too."""
        self.ss("-Htlnm")
        self._try(RAINDROPS, self._raindrops)
        self.worker(PROCFS, "procfs")
        if slow:
            self._try(NodeExporter.name, lambda: NodeExporter(self._within))
            self.worker(PYROUTE2, "pyroute2")

    def ss(self, flags: str) -> None:
        """Add `ss` with these flags."""
        self._try(SS, lambda: _tried(Command(SS, ("ss", flags))))

    def _raindrops(self) -> Subject:
        return Resident(RAINDROPS, ["ruby", "bench/raindrops.rb"], self._within)

    def _try(self, name: str, start: Callable[[], Subject]) -> None:
        try:
            self.subjects.append(start())
        except ProgramMissingError as missing:
            self.missing.append(Missing(name, str(missing)))


def _tried(command: Command) -> Subject:
    command.measure()
    return command
