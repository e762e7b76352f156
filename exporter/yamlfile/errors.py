"""Errors in a configuration: one line for each thing to change, all in one exception."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from yaml.error import Mark

from exporter.errors import UsageError

# Nobody reads more before correcting the first, and a log gets them all at each reload.
MAX_LINES: Final = 50
# PATH_MAX of Linux: no file that can be opened has a longer path.
_MAX_PATH: Final = 4096


class ConfigError(UsageError):
    """The configuration cannot be used. `lines` has one line for each thing to change, in file order.

    There are 50 at most, and one line that counts the others.

    A line reads `FILE:LINE:COLUMN: key.path: what is wrong, and what is allowed`. The key path is
    missing where the YAML itself is invalid, line and column where the file could not be read.
    """

    starts_with_location = True

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One thing to change. `line` and `column` count from 1; `path` is empty for the file as a whole."""

    line: int
    column: int
    path: str
    message: str

    def text(self, file_name: str) -> str:
        """Return the line that the user reads."""
        where = f"{file_name}:{self.line}:{self.column}: "
        return where + (f"{self.path}: " if self.path else "") + self.message


@dataclass(slots=True)
class Diagnostics:
    """Collects every error in one file, so that the user sees them all in one run."""

    file_name: str
    found: list[Diagnostic] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.found)

    def add(self, mark: Mark, message: str, path: str = "") -> None:
        """Add an error at `mark`, which counts lines and columns from 0 as PyYAML does."""
        self.found.append(Diagnostic(mark.line + 1, mark.column + 1, path, message))

    def raise_if_any(self) -> None:
        """Raise ConfigError with the first errors in the order of the file, and how many more there are."""
        if not self.found:
            return
        ordered = sorted(self.found, key=lambda diagnostic: (diagnostic.line, diagnostic.column))
        lines = [diagnostic.text(self.file_name) for diagnostic in ordered[:MAX_LINES]]
        more = len(ordered) - len(lines)
        if more:
            lines.append(f"{self.file_name}: and {more} more error{'s' if more > 1 else ''}")
        raise ConfigError(lines)


def printable(text: str, max_length: int = 60) -> str:
    """Return text from the file as it may stand in a message: on one line, printable, cut at `max_length`."""
    cut = text if len(text) <= max_length else text[:max_length] + "..."
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in cut
    )


def printable_path(path: str) -> str:
    """Return the path of a file as it may stand in a message; one that can exist is not cut."""
    return printable(path, _MAX_PATH)
