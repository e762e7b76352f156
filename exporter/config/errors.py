"""What is wrong with a configuration: one line a fault, all of them in one exception."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from yaml.error import Mark

from exporter.errors import UsageError


class ConfigError(UsageError):
    """The configuration cannot be used. `lines` has one line for each thing to change, in file order.

    A line reads `FILE:LINE:COLUMN: key.path: what is wrong, and what is allowed`. The key path is
    missing where YAML itself is broken, line and column where the file could not be read.
    """

    starts_with_location = True

    def __init__(self, lines: Iterable[str]) -> None:
        self.lines = tuple(lines)
        super().__init__("\n".join(self.lines))


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing to change. `line` and `column` count from 1; `path` is empty for the file as a whole."""

    line: int
    column: int
    path: str
    what: str

    def text(self, name: str) -> str:
        """Return the line the user reads."""
        where = f"{name}:{self.line}:{self.column}: "
        return where + (f"{self.path}: " if self.path else "") + self.what


@dataclass(slots=True)
class Faults:
    """Collects every fault of the file called `name`, so that the user sees them all in one run."""

    name: str
    found: list[Fault] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.found)

    def add(self, mark: Mark, what: str, path: str = "") -> None:
        """Note a fault at `mark`, which counts lines and columns from 0 as PyYAML does."""
        self.found.append(Fault(mark.line + 1, mark.column + 1, path, what))

    def raise_if_any(self) -> None:
        """Raise ConfigError with every fault, in the order of the file."""
        if self.found:
            ordered = sorted(self.found, key=lambda fault: (fault.line, fault.column))
            raise ConfigError(fault.text(self.name) for fault in ordered)


def shown(text: str, longest: int = 60) -> str:
    """Return text from the file as it may stand in a message: on one line, printable, not too long."""
    cut = text if len(text) <= longest else text[:longest] + "..."
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in cut
    )
