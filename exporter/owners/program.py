"""The name of the program that a process runs, where the command name of the kernel says too little.

The command name (`comm`) has 15 bytes, and is that of the interpreter where a script names none itself:
`java`, `python3`, `MainThread`. The order in which a name is chosen:

1. The command name, where it is whole and not that of an interpreter. A title such as `postgres: writer` is
   cut at its colon, since the rest changes.
2. Where the command name has 15 bytes, the file name of the executable, of the first argument, or of the
   script, if it begins with these bytes; of a title with blanks its first word.
3. For an interpreter what it runs (exporter.owners.interpreted): the file name of the script, the module
   (`python -m`), the main class or the archive (`java -jar`), or the first word of a title that was written
   over the arguments.
4. Else the unit of systemd without `.service`, where the process runs in one.
5. Else the command name, or the executable where that is the name of a thread.

Nothing else of the arguments is ever used: they may hold secrets. Source: proc_pid_comm(5),
proc_pid_cmdline(5), proc_pid_exe(5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exporter.owners.interpreted import file_name, what_runs
from exporter.owners.interpreters import is_interpreter

# TASK_COMM_LEN - 1, include/linux/sched.h.
COMMAND_BYTES: Final = 15
# The longest name that is taken from arguments, which may be of any length.
MAX_NAME_BYTES: Final = 64
# What the main thread of some runtimes is called: Node.js names it so itself.
_THREAD_NAMES: Final = frozenset((b"MainThread", b"node-MainThread", b"main", b"Main"))
_SERVICE: Final = ".service"


@dataclass(frozen=True, slots=True)
class ProgramFacts:
    """What tells the name of a program, as raw bytes.

    `executable` is the path of its file and `arguments` its command line, empty where they are not known.
    `unit` is that of systemd.
    """

    command: bytes
    executable: bytes = b""
    arguments: Sequence[bytes] = ()
    unit: str = ""


def needs_arguments(command: bytes) -> bool:
    """Tell whether the command name alone is not the name of the program."""
    return len(command) >= COMMAND_BYTES or command in _THREAD_NAMES or is_interpreter(command)


def program_name(facts: ProgramFacts) -> bytes:
    """Return the name of a program; one that cannot be told better is the command name."""
    command = facts.command
    title = command.partition(b": ")[0]
    if title and title != command:
        return title
    if not needs_arguments(command):
        return command
    if len(command) >= COMMAND_BYTES and command not in _THREAD_NAMES:
        return _completed(command, facts)
    executable = file_name(_without_mark(facts.executable))
    interpreter = executable if command in _THREAD_NAMES and executable else command
    if not is_interpreter(interpreter):
        return interpreter
    found = what_runs(interpreter, facts.arguments)
    return found if 0 < len(found) <= MAX_NAME_BYTES else _of_unit(facts.unit) or interpreter


def _without_mark(executable: bytes) -> bytes:
    # proc_pid_exe(5): the file was replaced, as by an update.
    return executable.removesuffix(b" (deleted)")


def _completed(command: bytes, facts: ProgramFacts) -> bytes:
    """Return the whole name of which the command name has the first bytes, as far as it is found."""
    paths = [_without_mark(facts.executable)]
    if b" " not in command:
        paths += facts.arguments[:2]
    names = [file_name(path) for path in paths]
    found = next((name for name in names if name.startswith(command) and len(name) <= MAX_NAME_BYTES), b"")
    # A title that the program gave itself, of which only the first word stays the same.
    return found or command.lstrip(b" ").partition(b" ")[0] or command


def _of_unit(unit: str) -> bytes:
    """Return the name of a service; that of a user's manager says nothing about what it runs."""
    if unit.endswith(_SERVICE) and not unit.startswith("user@"):
        return unit.removesuffix(_SERVICE).encode()
    return b""
