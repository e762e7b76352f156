"""Every key of the format (docs/web-configuration.md of exporter-toolkit), declared once.

Each class is a mapping of the file, and each field is read from one of its keys.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.web_config.go_duration import GoDuration
from exporter.web_config.header_values import HeaderValue
from exporter.web_config.model import ClientAuth, Pem, TlsVersion
from exporter.web_config.pem_values import PemFile, PemText
from exporter.web_config.tls_values import CIPHER_SUITE, CLIENT_AUTH, CURVE, VERSION
from exporter.web_config.users import UsersType
from exporter.yamlfile.key import METADATA, Key, SingleKey, key, match_key, optional_key
from exporter.yamlfile.lists import AnyNumber
from exporter.yamlfile.quantities import WholeNumber
from exporter.yamlfile.section import section
from exporter.yamlfile.values import Boolean, Text

_SAN = Text("name", "a DNS name, an IP, an e-mail address or a URI", example="prometheus.example.org")


@dataclass(frozen=True, slots=True)
class TlsServerConfig:
    """The certificate of the server, and those of its clients."""

    cert: Pem | None = optional_key("cert", PemText("CERTIFICATE"), "The server's certificate and its chain.")
    private_key: Pem | None = optional_key("key", PemText("PRIVATE KEY"), "The key of the certificate.")
    client_ca: Pem | None = optional_key(
        "client_ca", PemText("CERTIFICATE"), "The certificates by which those of clients are checked."
    )
    cert_file: Pem | None = optional_key("cert_file", PemFile("server.crt"), "The file that has cert.")
    key_file: Pem | None = optional_key("key_file", PemFile("server.key"), "The file that has key.")
    client_ca_file: Pem | None = optional_key(
        "client_ca_file", PemFile("client-ca.crt"), "The file that has client_ca."
    )
    client_auth_type: ClientAuth = key(
        "client_auth_type", CLIENT_AUTH, "NoClientCert", "Which certificates clients have to show."
    )
    client_allowed_sans: tuple[str, ...] = match_key(
        "client_allowed_sans", _SAN, "Subject alternative names, of which a client's certificate has one."
    )
    min_version: TlsVersion = key("min_version", VERSION, "TLS12", "The oldest version of TLS.")
    max_version: TlsVersion = key("max_version", VERSION, "TLS13", "The newest version of TLS.")
    cipher_suites: tuple[str, ...] = key(
        "cipher_suites", AnyNumber(CIPHER_SUITE), "[]", "Cipher suites of TLS 1.2."
    )
    prefer_server_cipher_suites: bool = key(
        "prefer_server_cipher_suites", Boolean(), "true", "Whether the server's order of suites counts."
    )
    curve_preferences: tuple[str, ...] = key(
        "curve_preferences", AnyNumber(CURVE), "[]", "The curve in which keys are exchanged."
    )


@dataclass(frozen=True, slots=True)
class Headers:
    """Headers of each response."""

    content_security_policy: str = key("Content-Security-Policy", HeaderValue(), '""', "As in CSP level 3.")
    x_frame_options: str = key(
        "X-Frame-Options", HeaderValue(("deny", "sameorigin")), '""', "Who may frame the pages."
    )
    x_content_type_options: str = key(
        "X-Content-Type-Options", HeaderValue(("nosniff",)), '""', "Sent anyway, with nosniff."
    )
    x_xss_protection: str = key("X-XSS-Protection", HeaderValue(), '""', "A filter of old browsers.")
    strict_transport_security: str = key(
        "Strict-Transport-Security", HeaderValue(), '""', "How long browsers insist on HTTPS (RFC 6797)."
    )


@dataclass(frozen=True, slots=True)
class HttpServerConfig:
    """How HTTP is spoken."""

    http2: bool = key("http2", Boolean(), "true", "Without effect: only HTTP/1.1 is spoken.")
    headers: Headers = section("headers", Headers, "Headers of each response.")


@dataclass(frozen=True, slots=True)
class RateLimitConfig:
    """How many requests are served."""

    interval_seconds: float = key("interval", GoDuration(), "0", "Time between two requests; 0 for no limit.")
    burst: int = key("burst", WholeNumber(0, 1_000_000, example="5"), "0", "How many may come at once.")


@dataclass(frozen=True, slots=True)
class File:
    """The whole file."""

    tls_server_config: TlsServerConfig = section(
        "tls_server_config", TlsServerConfig, "TLS; plain HTTP without it."
    )
    http_server_config: HttpServerConfig = section(
        "http_server_config", HttpServerConfig, "How HTTP is spoken."
    )
    basic_auth_users: dict[str, bytes] = field(
        default_factory=dict,
        metadata={METADATA: SingleKey(Key("basic_auth_users", UsersType(), "Users and their passwords."))},
    )
    rate_limit: RateLimitConfig = section("rate_limit", RateLimitConfig, "How many requests are served.")
