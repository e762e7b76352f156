"""The names of the programs that processes run."""

from __future__ import annotations

import errno
from collections.abc import Collection
from typing import Final, NamedTuple

from exporter.kernel.errors import KernelError
from exporter.kernel.processes.process import Process, ProcessTable
from exporter.kernel.text import printable
from exporter.owners.interpreted import file_name
from exporter.owners.lookups import Lookups
from exporter.owners.program import ProgramFacts, needs_arguments, program_name
from exporter.owners.socket_holders import holds_for_others, is_manager

# Arguments change where a program runs another one in its place, or writes a title over them.
MAX_AGE_SECONDS: Final = 60.0


class ProcessId(NamedTuple):
    """A process, told from others that have its number at other times by its start in clock ticks.

    `command` is its command name, which changes where it runs another program.
    """

    pid: int
    started: int
    command: bytes


Arguments = Lookups[ProcessId, tuple[bytes, ...]]


class Programs:
    """Names programs by the command names, the executables and the arguments of their processes."""

    def __init__(self, processes: ProcessTable, arguments: Arguments) -> None:
        self._processes = processes
        self._arguments = arguments
        self._executables: dict[ProcessId, bytes] = {}
        # The name of each process, by its unit too, with what it was made of: there may be thousands of
        # sockets of one process.
        self._names: dict[tuple[ProcessId, str], tuple[ProgramFacts, bytes]] = {}

    @property
    def version(self) -> int:
        """A number that grows when a name may be another one than before."""
        return self._arguments.version

    @property
    def hung(self) -> int:
        """How many lookups hung."""
        return self._arguments.hung

    def read(self, process: Process) -> bool:
        """Read what can be read of a process at once, and return what `holds_for_others` tells then.

        Raises KernelError.
        """
        key = _id(process)
        # A script may become a program of the same name.
        if is_manager(self._executable(key)) or key not in self._executables:
            self._executables[key] = self._read_executable(process.pid)
        return self.holds_for_others(process)

    def holds_for_others(self, process: Process) -> bool:
        """Tell whether a process opens sockets for the programs that it starts, as far as is known now.

        The command name of a script is its own, and its executable is the shell that waits for a command.
        """
        if holds_for_others(process) or is_manager(self._executable(_id(process))):
            return True
        return needs_arguments(process.name) and is_manager(self._name(process, ""))

    def name(self, process: Process, unit: str) -> str:
        """Return the name of the program that a process runs, as it is known now; printable."""
        return printable(self._name(process, unit))

    def settled(self, process: Process) -> bool:
        """Tell whether the name is known, or not worth waiting for."""
        return not needs_arguments(process.name) or self._arguments.settled(_id(process))

    def poll(self) -> None:
        """Look after lookups that take too long."""
        self._arguments.poll()

    def retain(self, processes: Collection[Process]) -> None:
        """Forget all other processes."""
        keys = {_id(process) for process in processes}
        self._executables = {key: path for key, path in self._executables.items() if key in keys}
        self._names = {key: name for key, name in self._names.items() if key[0] in keys}
        self._arguments.retain(keys)

    def _read_executable(self, pid: int) -> bytes:
        try:
            return self._processes.executable(pid)
        except KernelError as error:
            # A program in a folder that is deep enough has a path of more than PATH_MAX.
            if error.errno != errno.ENAMETOOLONG:
                raise
            return b""

    def _executable(self, key: ProcessId) -> bytes:
        """Return the file name of the program that a process was seen to run, empty where it is not known."""
        return file_name(self._executables.get(key, b""))

    def _name(self, process: Process, unit: str) -> bytes:
        key = _id(process)
        arguments = (self._arguments.answer(key) or ()) if needs_arguments(process.name) else ()
        facts = ProgramFacts(process.name, self._executables.get(key, b""), arguments, unit)
        known = self._names.get((key, unit))
        if known is None or known[0] != facts:
            known = self._names[key, unit] = facts, program_name(facts)
        return known[1]


def _id(process: Process) -> ProcessId:
    return ProcessId(process.pid, process.started, process.name)
