"""Finds the setting of the program at hand."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Final

from exporter.doctor.backlog_settings.backlog_setting import BacklogSetting
from exporter.doctor.backlog_settings.data_stores import DATA_STORES
from exporter.doctor.backlog_settings.languages import LANGUAGES, OWN_PROGRAM
from exporter.doctor.backlog_settings.servers import SERVERS
from exporter.owners.owner import Owner

# Languages last: what is written in one may be a program with a row of its own.
BACKLOG_SETTINGS: Final = (*SERVERS, *DATA_STORES, *LANGUAGES)


def setting_of(owner: Owner) -> BacklogSetting:
    """Return the row of the program that owns a listener; where none fits, one that any program has."""
    return next((setting for setting in BACKLOG_SETTINGS if _fits(setting, owner)), OWN_PROGRAM)


def _fits(setting: BacklogSetting, owner: Owner) -> bool:
    names = [name for name in (owner.process, owner.command) if name]
    if any(fnmatchcase(name, pattern) for name in names for pattern in setting.programs):
        return True
    return bool(owner.unit) and any(fnmatchcase(owner.unit, pattern) for pattern in setting.units)
