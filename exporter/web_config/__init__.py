"""The file of --web.config.file, in the format of Prometheus' exporter-toolkit: text in, a WebConfig out."""

from exporter.web_config.model import WebConfig
from exporter.web_config.parse import parse

__all__ = ["WebConfig", "parse"]
