"""What a check has found: the problem, how sure that is, what shows it, and what to change."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from exporter.listeners.key import ListenerKey


class FindingSeverity(enum.StrEnum):
    """How bad a finding is, the worst first.

    CRITICAL: clients are lost or wait now. WARNING: they were lost, or will be under load. NOTE: nobody is
    lost by it, but it is worth to be known.
    """

    CRITICAL = "critical"
    WARNING = "warning"
    NOTE = "note"


class Certainty(enum.StrEnum):
    """How sure a finding is, the surest first.

    CERTAIN: the kernel says so. LIKELY: what was seen has another explanation that is rare. POSSIBLE: it is
    one of several explanations.
    """

    CERTAIN = "certain"
    LIKELY = "likely"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class Finding:
    """One problem.

    `name` stays the same from run to run and version to version, for runbooks and scripts. `title` is one
    sentence without a full stop, `evidence` has one sentence an entry, `change` is the one thing to change.
    `namespaces` are the labels `netns` of those that it is about. `listener` is None where it is about no
    single listener, else `process` is the name of the program that has it, empty where that is not known.
    Texts may hold names that others have chosen: who prints them escapes them.
    """

    name: str
    title: str
    severity: FindingSeverity
    certainty: Certainty
    evidence: tuple[str, ...]
    change: str
    namespaces: tuple[str, ...]
    listener: ListenerKey | None = None
    process: str = ""

    def order(self) -> tuple[int, int, str, tuple[str, ...]]:
        """Sort key: the worst first, of equals the surest, and then the same order in every run."""
        return (
            list(FindingSeverity).index(self.severity),
            list(Certainty).index(self.certainty),
            self.name,
            self.namespaces if self.listener is None else self.listener,
        )
