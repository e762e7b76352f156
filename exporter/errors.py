"""The root of every error this program raises on purpose, and whose fault each one is."""

from __future__ import annotations


class ExporterError(Exception):
    """Something went wrong and the text says what, where and what to do.

    `exit_status` is what the command ends with when the error reaches the top. `names_place` is
    true where the text begins with FILE:LINE:COLUMN, which nothing may stand before: editors jump there.
    """

    exit_status = 1
    names_place = False


class UsageError(ExporterError):
    """The person who typed the command has to change it."""

    exit_status = 2


class RunError(ExporterError):
    """The machine would not do what was asked of it: a port that is taken, nothing that can be read."""
