"""What an interpreter runs, told by its arguments: the file name of a script, the name of a module or class.

An argument that may be anything else, as a value of an option, program text, or an argument of the program,
is never returned: it may be a secret. Source, beside that of exporter.owners.interpreters:
https://docs.oracle.com/en/java/javase/21/docs/specs/man/java.html.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exporter.owners.interpreter_options import Options
from exporter.owners.interpreters import (
    BUSYBOX,
    JAVA,
    LOADER,
    LOADER_WITH_VALUE,
    is_interpreter,
    options_of,
)

# What follows a file of options may be an argument of the class that this names. Only an archive, or a class
# with its package, is unlikely to be one: classes begin with a capital, hosts of a domain do not.
_QUALIFIED_CLASS: Final = re.compile(rb"([A-Za-z_$][\w$]*\.)+[A-Z$][\w$]*")
_ARCHIVE: Final = re.compile(rb".+\.[jw]ar")
# Deno runs what it fetches. Beside the path a URL may have a user, a password and a token; others are program
# text themselves.
_URL: Final = re.compile(rb"[a-z][a-z0-9+.-]*://[^/?#]*([^?#]*)", re.IGNORECASE)
_TEXT_URL: Final = re.compile(rb"(data|blob):", re.IGNORECASE)
_JAVA_WITH_VALUE: Final = frozenset(
    (
        *(b"-cp", b"-classpath", b"--class-path", b"-p", b"--module-path", b"--upgrade-module-path"),
        *(b"--add-modules", b"--add-exports", b"--add-opens", b"--add-reads", b"--limit-modules"),
        *(b"--patch-module", b"--source", b"--enable-native-access", b"--describe-module", b"-d"),
    )
)
# Scripts that load another one into their own process, with the command that says so.
_LAUNCHERS: Final = {b"bundle": b"exec", b"bundler": b"exec"}


def what_runs(interpreter: bytes, arguments: Sequence[bytes]) -> bytes:
    """Return the name of what an interpreter runs, empty where its arguments do not tell.

    `arguments` are all of the process, its name first.
    """
    title = _title(interpreter, arguments)
    if title:
        return title
    if LOADER.fullmatch(interpreter):
        return _loaded(arguments[1:])
    if JAVA.fullmatch(interpreter):
        return _java(arguments[1:])
    if BUSYBOX.fullmatch(interpreter):
        return _applet(arguments)
    options = options_of(interpreter)
    return _script(options, arguments[1:]) if options is not None else b""


def file_name(path: bytes) -> bytes:
    """Return the last part of a path."""
    return path.rstrip(b"/").rpartition(b"/")[2]


def what_title_runs(title: bytes) -> bytes:
    """Return the name of what an interpreter runs whose title is its name and a path, empty where it is not.

    As PM2 writes it over the arguments of Node.js: `node /srv/shop/app.js`.
    """
    words = title.split()
    if len(words) < 2 or not words[1].startswith(b"/"):  # noqa: PLR2004  (the name and the path)
        return b""
    return what_runs(words[0].removesuffix(b":"), words)


def _title(interpreter: bytes, arguments: Sequence[bytes]) -> bytes:
    """Return the first word of a title that was written over the arguments (setproctitle(3)).

    It is one argument, behind which the rest is empty; one without blanks, and nothing behind it, may be a
    name that exec(3) was given.
    """
    if not arguments or any(arguments[1:]) or (len(arguments) == 1 and b" " not in arguments[0]):
        return b""
    first = file_name(arguments[0].split(b" ", 1)[0]).removesuffix(b":")
    return b"" if first == interpreter or is_interpreter(first) else first


def _applet(arguments: Sequence[bytes]) -> bytes:
    """Return the applet of busybox, or the script where that is a shell."""
    for position, argument in enumerate(arguments[:2]):
        name = file_name(argument)
        if not BUSYBOX.fullmatch(name):
            return what_runs(name, arguments[position:]) or name if is_interpreter(name) else name
    return b""


def _loaded(arguments: Sequence[bytes]) -> bytes:
    """Return the program that the dynamic linker was told to run (ld.so(8)), or what that runs."""
    position = 0
    while position < len(arguments) and arguments[position].startswith(b"-"):
        position += 2 if arguments[position] in LOADER_WITH_VALUE else 1
    program = arguments[position:]
    name = file_name(program[0]) if program else b""
    return what_runs(name, program) or name if is_interpreter(name) else name


def _java(arguments: Sequence[bytes]) -> bytes:
    position = 0
    options_in_file = archive = False
    while position < len(arguments):
        argument = arguments[position]
        following = arguments[position + 1] if position + 1 < len(arguments) else b""
        if argument in (b"-m", b"--module"):
            # A module, or a module and the class in it.
            return file_name(following)
        if argument.startswith(b"--module="):
            return file_name(argument.partition(b"=")[2])
        if argument.startswith(b"@"):
            options_in_file = True
        elif argument == b"-jar":
            # Other options may stand before the archive.
            archive = True
        elif not argument.startswith(b"-"):
            expected = _ARCHIVE if archive else _QUALIFIED_CLASS
            known = not options_in_file or expected.fullmatch(argument)
            return file_name(argument) if known else b""
        position += 2 if argument in _JAVA_WITH_VALUE else 1
    return b""


def _script(options: Options, arguments: Sequence[bytes]) -> bytes:
    position = 0
    while position < len(arguments):
        argument, following = arguments[position], next(iter(arguments[position + 1 :]), b"")
        if argument == b"--" and argument not in options.code_names:
            return _launched(following, arguments[position + 2 :])
        read = _read(options, argument, following)
        if read is None:
            return _launched(argument, arguments[position + 1 :])
        if read.ended:
            return file_name(read.name)
        position += 1 + read.values
    return b""


@dataclass(frozen=True, slots=True)
class _Read:
    """What an option tells: how many arguments after it are its `values`, or what runs."""

    values: int = 0
    ended: bool = False
    name: bytes = b""


def _read(options: Options, argument: bytes, following: bytes) -> _Read | None:
    """Read an argument; None where it is no option, but what runs."""
    name, equals, value = argument.partition(b"=")
    if options.underscore_is_dash and name.startswith(b"--"):
        name = name.replace(b"_", b"-")
    if not argument or name in options.code_names or (argument == b"-" and not options.dash_is_option):
        return _Read(ended=True)
    if name in options.naming_names:
        return _Read(ended=True, name=value if equals else following)
    if name in options.valued_names and not equals:
        # A value has no dash, and Deno's `--lock` needs none.
        return _Read(values=not following.startswith(b"-"))
    if argument.startswith(b"--") or argument in options.commands:
        return _Read()
    if argument.startswith((b"-", b"+") if options.plus_is_option else b"-"):
        return _read_letters(options, argument[1:], following)
    return None


def _read_letters(options: Options, letters: bytes, following: bytes) -> _Read:
    values = position = 0
    while position < len(letters):
        known = options.short_values.match(letters, position) if options.short_values else None
        if known is not None:
            position = known.end()
            continue
        letter, rest = letters[position : position + 1], letters[position + 1 :]
        position += 1
        if letter in options.code:
            return _Read(ended=True)
        if letter in options.naming:
            return _Read(ended=True, name=rest or following)
        if letter in options.valued:
            return _Read(values + (not rest))
        if letter in options.joined:
            break
        values += letter in options.detached
    return _Read(values)


def _launched(script: bytes, arguments: Sequence[bytes]) -> bytes:
    """Return the name of a script, or of what that loads."""
    if _TEXT_URL.match(script):
        return b""
    url = _URL.match(script)
    name = file_name(script if url is None else url[1])
    if name == b"__main__.py":
        # What Python runs of a directory.
        name = file_name(script.removesuffix(name)) or name
    command = _LAUNCHERS.get(name)
    if command is not None and len(arguments) > 1 and arguments[0] == command:
        return file_name(arguments[1])
    # The directory in which a program was started.
    return b"" if name in (b".", b"..") else name
