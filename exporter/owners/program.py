"""The name of the program that a process runs, where the command name of the kernel says too little.

The command name (`comm`) has 15 bytes, and is that of the interpreter where a script names none itself:
`java`, `python3`, `MainThread`. The order in which a name is chosen:

1. The command name, where it is whole and not that of an interpreter. A title such as `postgres: writer` is
   cut at its colon, since the rest changes.
2. Where the command name has 15 bytes, the file name of the executable, of the first argument, or of the
   script that the kernel has started, if it begins with these bytes; of a title with blanks its first word.
3. For an interpreter what it runs (exporter.owners.interpreted): the file name of the script, the module
   (`python -m`), the main class or the archive (`java -jar`), or the program that the dynamic linker was told
   to run. Of a title that was written over the arguments it is the first word, or the path behind that where
   it is the interpreter (`node /srv/shop/app.js`).
4. Else the unit of systemd without `.service`, where the process runs in one.
5. Else the command name, or the executable where that is the name of a thread.

Nothing else of the arguments is ever used: they may hold secrets. Source: proc_pid_comm(5),
proc_pid_cmdline(5), proc_pid_exe(5).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exporter.owners.interpreted import file_name, what_runs, what_title_runs
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
    return len(command) >= COMMAND_BYTES or command in _THREAD_NAMES or is_interpreter(_first_word(command))


def program_name(facts: ProgramFacts) -> bytes:
    """Return the name of a program; one that cannot be told better is the command name."""
    command = facts.command
    title = command.partition(b": ")[0]
    if title and title != command:
        return title
    if not needs_arguments(command):
        return command
    if command in _THREAD_NAMES:
        interpreter = file_name(_without_mark(facts.executable)) or command
    else:
        interpreter = _completed(command, facts) if len(command) >= COMMAND_BYTES else _first_word(command)
    if not is_interpreter(interpreter):
        return interpreter
    if b" " in command:
        found = what_title_runs(_title(command, facts.arguments))
    else:
        found = what_runs(interpreter, facts.arguments)
    return found if 0 < len(found) <= MAX_NAME_BYTES else _of_unit(facts.unit) or interpreter


def _first_word(command: bytes) -> bytes:
    """Return the first word of a title, or a command name without blanks."""
    return command.lstrip(b" ").partition(b" ")[0]


def _title(command: bytes, arguments: Sequence[bytes]) -> bytes:
    """Return the title of which the command name has the first bytes; empty where the rest is not known."""
    if arguments and arguments[0].startswith(command) and not any(arguments[1:]):
        return arguments[0]
    return command if len(command) < COMMAND_BYTES else b""


def _without_mark(executable: bytes) -> bytes:
    # proc_pid_exe(5): the file was replaced, as by an update.
    return executable.removesuffix(b" (deleted)")


def _completed(command: bytes, facts: ProgramFacts) -> bytes:
    """Return the whole name of which the command name has the first bytes, as far as it is found."""
    paths = [_without_mark(facts.executable)]
    if b" " not in command:
        # The interpreter, the one option that the kernel passes to it, and the script (execve(2)).
        paths += facts.arguments[:3]
    names = [file_name(path) for path in paths]
    found = next((name for name in names if name.startswith(command) and len(name) <= MAX_NAME_BYTES), b"")
    # A title that the program gave itself, of which only the first word stays the same.
    return found or _first_word(command) or command


def _of_unit(unit: str) -> bytes:
    """Return the name of a service; that of a user's manager says nothing about what it runs."""
    if unit.endswith(_SERVICE) and not unit.startswith("user@"):
        return unit.removesuffix(_SERVICE).encode()
    return b""
