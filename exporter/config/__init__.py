"""The configuration file: YAML text in, a frozen Config out, or the errors in it all at once."""

from exporter.config.file import ConfigFile
from exporter.config.model import Config
from exporter.config.parse import parse
from exporter.yamlfile.errors import ConfigError

__all__ = ["Config", "ConfigError", "ConfigFile", "parse"]
