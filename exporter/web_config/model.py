"""What a web configuration says, as the rest of the program reads it."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class ClientAuth(enum.Enum):
    """Which certificates clients have to show."""

    NONE = enum.auto()
    IF_GIVEN = enum.auto()
    REQUIRED = enum.auto()


class TlsVersion(enum.IntEnum):
    """A version of TLS, in ascending order."""

    TLS12 = 12
    TLS13 = 13


@dataclass(frozen=True, slots=True)
class Pem:
    """Certificates or a key in PEM (RFC 7468): in a file, or written in the configuration.

    `place` is that of its key in the configuration, with which errors about the content begin. Exactly one of
    `path` and `text` is there.
    """

    place: str
    path: str | None = None
    text: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Tls:
    """How TLS is spoken.

    A client certificate needs one of `allowed_sans` as a subject alternative name where there are any.
    `ciphers` are those of TLS 1.2 in the names of OpenSSL; empty for the defaults. `group` is the one in
    which keys are exchanged, in the name of OpenSSL; None for the defaults.
    """

    certificate: Pem
    key: Pem
    client_ca: Pem | None = None
    client_auth: ClientAuth = ClientAuth.NONE
    allowed_sans: frozenset[str] = frozenset()
    min_version: TlsVersion = TlsVersion.TLS12
    max_version: TlsVersion = TlsVersion.TLS13
    ciphers: tuple[str, ...] = ()
    group: str | None = None
    prefer_server_ciphers: bool = True

    @property
    def pems(self) -> tuple[Pem, ...]:
        """All that is in PEM."""
        return (self.certificate, self.key, *([self.client_ca] if self.client_ca else []))


@dataclass(frozen=True, slots=True)
class RateLimit:
    """One request in `interval_seconds` on average, and `burst` at once."""

    interval_seconds: float
    burst: int


@dataclass(frozen=True, slots=True)
class WebConfig:
    """A whole, valid web configuration. `WebConfig()` is in force where there is no file.

    `users` has the bcrypt hash of the password of each user; where there are none nobody is asked. `headers`
    are added to each response.
    """

    tls: Tls | None = None
    users: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    rate_limit: RateLimit | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that are named in it."""
        return tuple(pem.path for pem in (self.tls.pems if self.tls else ()) if pem.path is not None)
