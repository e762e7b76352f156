"""The setting by which a program or a language chooses its backlog."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class BacklogSetting:
    """One row of the table.

    `service` is a name for people. `programs` are globs over the name of the program and its command name,
    `units` over the unit of systemd; both are empty where nothing tells from outside. `key` is what to
    change, `default` the backlog without it in words, `backlog` the same as a number, None where it is none.
    `applied` is when a change counts. `source` is where that can be read.
    """

    service: str
    programs: tuple[str, ...]
    key: str
    default: str
    backlog: int | None
    applied: str
    source: str
    units: tuple[str, ...] = ()
