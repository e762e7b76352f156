"""The two configuration files of the daemon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exporter.cli.reloads import Reloaded, ReloadedConfig
from exporter.cli.web_access import WebAccess
from exporter.config import Config, ConfigFile


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """What to sample and what to say of it, in a file or the defaults, and how clients are served."""

    config: ConfigFile | None
    web: WebAccess

    def load_config(self) -> Config:
        """Return the configuration. Raises ConfigError, and RunError where reading takes too long."""
        return self.config.load() if self.config else Config()

    def reloaded(self, take: Callable[[Config], None]) -> tuple[Reloaded, ...]:
        """Return the files that are there; `take` puts a configuration into force."""
        config = (ReloadedConfig(self.config, take),) if self.config else ()
        return (*config, *self.web.reloaded)
