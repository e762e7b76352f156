"""The files that a web configuration names, found out before the modules that use them are imported."""

from __future__ import annotations

from exporter.web_config import parse
from exporter.yamlfile.file import text
from exporter.yamlfile.timed_load import TimedLoad


def paths_in(web_config: str) -> tuple[str, ...]:
    """Return their paths. Raises ConfigError, and RunError where the file system does not answer."""
    return TimedLoad(web_config, lambda: parse(text(web_config), web_config).paths).load()
