"""A certificate for 127.0.0.1, its authority, and clients that trust it."""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from exporter.web.web_settings import Loaded, load
from testbed.certificates import Authority, Certificate

SERVER = "cert_file: server.crt, key_file: server.key"
CLIENTS = "client_ca_file: authority.crt, client_auth_type: RequireAndVerifyClientCert"


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """`folder` has authority.crt, server.crt and server.key, and web.yml where `load` was called."""

    folder: Path
    authority: Authority

    @classmethod
    def made(cls, folder: Path) -> Self:
        """Make them."""
        authority = Authority(folder)
        authority.sign("server", "DNS:localhost", "IP:127.0.0.1")
        return cls(folder, authority)

    def load(self, keys: str = SERVER, rest: str = "") -> Loaded:
        """Read a web configuration with these keys for TLS."""
        file = self.folder / "web.yml"
        file.write_text(f"tls_server_config: {{{keys}}}\n{rest}")
        return load(str(file))

    def client(self, shown: Certificate | None = None) -> ssl.SSLContext:
        """A client that expects the server of the authority, and may show a certificate."""
        context = ssl.create_default_context(cafile=str(self.authority.own.certificate))
        if shown is not None:
            context.load_cert_chain(shown.certificate, shown.key)
        return context
