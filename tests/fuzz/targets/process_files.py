"""Files of a process below /proc, whose command name may hold any byte."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from exporter.kernel.errors import KernelError
from exporter.kernel.processes.cgroups import find_mount
from exporter.kernel.processes.process import ProcfsProcesses
from tests.fuzz.target import Target, parts


class _Processes(ProcfsProcesses):
    """One process with files of these contents."""

    def __init__(self, contents: dict[str, bytes]) -> None:
        self._contents = contents

    def _pids(self) -> list[int]:
        return [1]

    def _socket_inodes(self, pid: int) -> Iterator[Collection[int]]:
        raise ProcessLookupError(pid)

    def _file(self, pid: int, name: str) -> bytes:
        assert pid == 1
        return self._contents[name]

    def _link(self, pid: int, name: str) -> bytes:
        assert pid == 1
        return self._contents[name]


def run(data: bytes) -> None:
    """Read `stat`, `comm` and `cgroup` of a process, and the mounts that it sees."""
    stat, comm, cgroup, mounts = parts(data, 4)
    processes = _Processes({"stat": stat, "comm": comm, "cgroup": cgroup, "exe": comm})
    with suppress(KernelError):
        processes.read(1)
    with suppress(KernelError):
        processes.stat(1)
    processes.executable(1)
    find_mount(mounts)


TARGET = Target(run, words=(b"(", b")", b" ", b" - cgroup2 ", b"\\040", b"0::/"))
