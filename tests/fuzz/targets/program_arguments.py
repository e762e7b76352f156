"""The name of a program by its command name, its executable and its arguments.

Arguments may be secrets: of them only a file name, a module, a class or the first word of a title is shown.
"""

from __future__ import annotations

from exporter.owners.program import MAX_NAME_BYTES, ProgramFacts, needs_arguments, program_name
from tests.fuzz.target import Target, parts


def run(data: bytes) -> None:
    """Name a program."""
    command, executable, arguments = parts(data, 3)
    command = command[:15]
    given = arguments.split(b"\0")
    name = program_name(ProgramFacts(command, executable, given, "a.service"))
    assert len(name) <= max(MAX_NAME_BYTES, len(command), len(executable))
    if not needs_arguments(command):
        assert command.startswith(name)
    # A name out of the arguments is a part of one of them.
    known = (command, executable, b"a.service", *given)
    assert any(name in each for each in known)
    assert b"--password=" not in name or b"--password=" in command + executable or _is_path(name, given)


def _is_path(name: bytes, arguments: list[bytes]) -> bool:
    """Tell whether the name ends an argument, as that of a script does, or the first word of a title."""
    return any(each.endswith(name) or each.split(b" ")[0].endswith(name) for each in arguments)


TARGET = Target(
    run,
    words=(
        b"python3", b"java", b"ruby", b"node", b"php", b"bash", b"busybox", b"perl", b"-jar\0",
        b"-cp\0a\0", b"-m\0",
        b"-c\0", b"-e\0", b"--\0", b"@file\0", b"bundle\0exec\0", b"--password=secret", b" (deleted)",
        b"MainThread",
    ),
)  # fmt: skip
