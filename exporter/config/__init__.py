"""The configuration file: YAML text in, a frozen Config out, or every error in it at once."""

from exporter.config.errors import ConfigError
from exporter.config.load import load
from exporter.config.model import Config
from exporter.config.parse import parse

__all__ = ["Config", "ConfigError", "load", "parse"]
