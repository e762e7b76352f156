"""The web configuration of the daemon: read at the start and again, and what is made of it."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Final

from exporter.cli.reloads import Reloaded
from exporter.web.access import Access
from exporter.web.certificate_watch import CertificateWatch
from exporter.web.passwords import Passwords
from exporter.web.router import Responder
from exporter.web.tls_context import ReadFile
from exporter.web.transport import ConfiguredTransport
from exporter.web.web_settings import Loaded, WebSettings, load
from exporter.web_config import WebConfig
from exporter.yamlfile.file import content
from exporter.yamlfile.timed_load import TimedLoad

# Comparing passwords takes this part of what clients may use of the processor.
_PASSWORD_SHARE: Final = 0.5


class WebAccess:
    """The file of --web.config.file, which may be None, and how clients are served by it."""

    def __init__(self, path: str | None, read: ReadFile = content) -> None:
        """Raises ConfigError, and RunError where its file system does not answer."""
        self.path = path or ""
        # None is open before the server is.
        self._renew_connections: Callable[[], object] = bool
        self._file = TimedLoad(self.path, lambda: load(self.path, read)) if path is not None else None
        if path is not None:
            # A process that has become another user may no longer be able to read it when it is needed.
            importlib.import_module("bcrypt")
        self._settings = WebSettings(None if self._file is None else self._file.load())
        self._watch = CertificateWatch(self._settings.check_certificates)
        self.transport = ConfiguredTransport(self._settings)

    def guard(self, router: Responder, client_share: Callable[[], float]) -> Responder:
        """Return what asks for passwords and the like before it hands a request on.

        `client_share` is what clients may use of one core.
        """
        passwords = Passwords(lambda: client_share() * _PASSWORD_SHARE)
        return Access(router, self._settings, passwords)

    def start(self, renew_connections: Callable[[], object]) -> None:
        """Look for changed certificates from now on, with the privileges that the caller has now.

        `renew_connections` has connections closed that contradict a new configuration.
        """
        self._renew_connections = renew_connections
        if self._file is not None:
            self._watch.start()

    def stop(self) -> None:
        """Look no more."""
        self._watch.stop()

    @property
    def reloaded(self) -> tuple[Reloaded, ...]:
        """This, where there is a file."""
        return (self,) if self._file else ()

    def load(self) -> Callable[[], None]:
        """Read the file and what it names again, and return what puts it into force. Raises ExporterError."""
        loaded = Loaded(WebConfig(), None) if self._file is None else self._file.load()

        def put_into_force() -> None:
            if self._settings.replace(loaded):
                self._renew_connections()

        return put_into_force
