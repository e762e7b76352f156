"""The configuration file as the daemon reads it: in a thread, since its file system may not answer."""

from __future__ import annotations

from collections.abc import Callable

from exporter.config.model import Config
from exporter.config.parse import parse
from exporter.yamlfile.errors import printable_path
from exporter.yamlfile.file import text
from exporter.yamlfile.timed_load import LOAD_SECONDS, TimedLoad


class ConfigFile:
    """Reads one file again and again. Who reads waits for its file system for some seconds, not for ever."""

    def __init__(
        self, path: str, read: Callable[[str], str] = text, read_seconds: float = LOAD_SECONDS
    ) -> None:
        """Nothing is read yet. `read` returns the text of the file at a path, or raises ConfigError."""
        self.path = path
        self._text = TimedLoad(path, lambda: read(path), read_seconds)

    def load(self) -> Config:
        """Return the configuration. Raises ConfigError, and RunError where reading takes too long.

        As long as one reading hangs no other one is begun.
        """
        return parse(self._text.load(), printable_path(self.path))
