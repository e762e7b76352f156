"""Finds the setting of the program at hand."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from exporter.doctor.knobs.data_stores import DATA_STORES
from exporter.doctor.knobs.knob import Knob
from exporter.doctor.knobs.languages import LANGUAGES, OWN_PROGRAM
from exporter.doctor.knobs.servers import SERVERS
from exporter.owners.owner import Owner

# Languages last: what is written in one may be a program with a row of its own.
KNOBS: Final = (*SERVERS, *DATA_STORES, *LANGUAGES)


def knob_of(owner: Owner) -> Knob:
    """Return the row of the program that owns a listener; where none fits, one that any program has."""
    return next((knob for knob in KNOBS if _fits(knob, owner)), OWN_PROGRAM)


def _fits(knob: Knob, owner: Owner) -> bool:
    names = [name for name in (owner.process, owner.command) if name]
    if any(fnmatchcase(name, pattern) for name in names for pattern in knob.programs):
        return True
    return bool(owner.unit) and any(fnmatchcase(owner.unit, pattern) for pattern in knob.units)
