"""The two configuration files of the daemon."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exporter.cli.file_changes import FileChanges
from exporter.cli.reloads import ReloadedConfig, Reloads
from exporter.cli.systemd import ServiceManager
from exporter.cli.web_access import WebAccess
from exporter.config import Config, ConfigFile
from exporter.sampling.clock import Clock


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """What to sample and what to say of it, in a file or the defaults, and how clients are served."""

    config: ConfigFile | None
    web: WebAccess
    changes: FileChanges

    def load_config(self) -> Config:
        """Return the configuration. Raises ConfigError, and RunError where reading takes too long."""
        return self.config.load() if self.config else Config()

    def reloads(
        self,
        take: Callable[[Config], None],
        service_manager: ServiceManager,
        status: Callable[[], str],
        clock: Clock,
    ) -> Reloads:
        """Return what reads them again; `take` puts a configuration into force, `status` is as in Reloads."""
        config = (ReloadedConfig(self.config, take),) if self.config else ()
        files = (*config, *self.web.reloaded)
        return Reloads(files, service_manager, status, clock, self.changes)
