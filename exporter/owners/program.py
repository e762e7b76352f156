"""The name of the program that a process runs, where the command name of the kernel says too little.

The command name (`comm`) has 15 bytes, and is that of the interpreter where a script names none itself:
`java`, `python3`, `MainThread`. The order in which a name is chosen:

1. The command name, where it is whole and not that of an interpreter. A title such as `postgres: writer` is
   cut at its colon, since the rest changes.
2. Where the command name has 15 bytes, the file name of the executable, of the first argument, or
   of the script that the kernel has started, if it begins with these bytes; of any other title its first
   word, without a colon at its end.
3. Where the command name says nothing, as that of a thread, a blank one, or the number of the descriptor by
   which the program was started, the file name of the executable.
4. For an interpreter what it runs (exporter.owners.interpreted): the file name of the script, the module
   (`python -m`), the main class or the archive (`java -jar`), or the program that the dynamic linker was told
   to run. Of a title that was written over the arguments it is the first word, or the path behind that where
   it is the interpreter (`node /srv/shop/app.js`).
5. Else the unit of systemd without `.service`, where the process runs in one.
6. Else the command name, or the executable where that says nothing.

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
# What the main thread of some runtimes is called (Node.js names it so itself), and a program that was started
# by /proc/self/exe.
_NO_NAMES: Final = frozenset((b"MainThread", b"node-MainThread", b"main", b"Main", b"exe"))
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
    return len(command) >= COMMAND_BYTES or _says_nothing(command) or is_interpreter(_first_word(command))


def program_name(facts: ProgramFacts) -> bytes:
    """Return the name of a program; one that cannot be told better is the command name."""
    command = facts.command
    title = command.partition(b": ")[0]
    if title and title != command and not is_interpreter(title):
        return title
    if not needs_arguments(command):
        return command
    nothing = _says_nothing(command)
    if nothing:
        interpreter = _executable(facts) or command.strip(b" ")
    else:
        interpreter = _completed(command, facts) if len(command) >= COMMAND_BYTES else _first_word(command)
    if not is_interpreter(interpreter):
        return interpreter
    if b" " in command and not nothing:
        found = what_title_runs(_title(command, facts.arguments))
    else:
        found = what_runs(interpreter, facts.arguments)
    # A script may be started by the number of a descriptor as well.
    named = 0 < len(found) <= MAX_NAME_BYTES and not found.isdigit()
    return found if named else _of_unit(facts.unit) or interpreter


def _says_nothing(command: bytes) -> bool:
    """Tell whether a command name is none of a program."""
    return command in _NO_NAMES or command.isdigit() or not command.strip(b" ")


def _first_word(title: bytes) -> bytes:
    """Return the first word of a title, or a name without blanks; without a colon at its end."""
    word = title.lstrip(b" ").partition(b" ")[0]
    return word.removesuffix(b":") or word


def _executable(facts: ProgramFacts) -> bytes:
    """Return the file name of the executable."""
    return file_name(_without_mark(facts.executable))


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
    names = [_executable(facts)]
    if not any(facts.arguments[1:]):
        # It may be a title, of which only the first word is the name.
        names += [file_name(_first_word(argument)) for argument in facts.arguments[:1]]
    else:
        # The interpreter, the one option that the kernel passes to it, and the script (execve(2)).
        names += [file_name(path) for path in facts.arguments[:3] if not path.startswith(b"-")]
    found = next((name for name in names if name.startswith(command) and len(name) <= MAX_NAME_BYTES), b"")
    # A title that the program gave itself, of which only the first word stays the same.
    return found or _first_word(command) or command


def _of_unit(unit: str) -> bytes:
    """Return the name of a service; that of a user's manager says nothing about what it runs."""
    if unit.endswith(_SERVICE) and not unit.startswith("user@"):
        return unit.removesuffix(_SERVICE).encode()
    return b""
