"""Reads a configuration file."""

from __future__ import annotations

from exporter.config.model import Config
from exporter.config.parse import parse
from exporter.yamlfile.errors import printable_path
from exporter.yamlfile.file import text


def load(path: str) -> Config:
    """Return the configuration in the file at `path`.

    Raises ConfigError, with the errors in the file, or with one line where the file cannot be read, is no
    regular file, is over 1 MiB, or is not UTF-8.
    """
    return parse(text(path), printable_path(path))
