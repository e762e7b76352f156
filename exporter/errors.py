"""Errors that this program raises on purpose, by who can remove the cause."""

from __future__ import annotations


class ExporterError(Exception):
    """An error whose text says what went wrong, where, and what to do.

    `exit_status` is that of the command when the error ends it. `starts_with_location` is true where the
    text begins with FILE:LINE:COLUMN, which has to stay at the beginning for editors to find it.
    """

    exit_status = 1
    starts_with_location = False


class UsageError(ExporterError):
    """The command line or the configuration is wrong."""

    exit_status = 2


class RunError(ExporterError):
    """The host does not permit or offer what is needed: a port is taken, nothing can be read."""
