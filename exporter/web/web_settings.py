"""The web configuration that is in force."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.web.certificates import Certificates
from exporter.web.tls_context import ReadFile
from exporter.web_config import WebConfig, parse
from exporter.yamlfile.file import content, text


@dataclass(frozen=True, slots=True)
class Loaded:
    """A configuration with the certificates that it names; None for plain HTTP."""

    config: WebConfig
    certificates: Certificates | None


def load(path: str, read: ReadFile = content) -> Loaded:
    """Return the web configuration in the file at `path`, and what it names. Raises ConfigError."""
    config = parse(text(path, read), path)
    return Loaded(config, None if config.tls is None else Certificates(config.tls, read))


class WebSettings:
    """What is in force now. `replace` may be called in another thread than the rest."""

    def __init__(self, loaded: Loaded | None = None) -> None:
        """Without a configuration everybody is served in plain HTTP."""
        self._loaded = loaded or Loaded(WebConfig(), None)

    @property
    def config(self) -> WebConfig:
        """The configuration."""
        return self._loaded.config

    @property
    def certificates(self) -> Certificates | None:
        """With what TLS is spoken; None for plain HTTP."""
        return self._loaded.certificates

    def replace(self, loaded: Loaded) -> bool:
        """Have another configuration in force, and return whether connections that are open contradict it."""
        before, self._loaded = self._loaded, loaded
        return before.config.tls != loaded.config.tls

    def check_certificates(self) -> None:
        """Read certificates again where their files have changed."""
        certificates = self._loaded.certificates
        if certificates is not None:
            certificates.check()
