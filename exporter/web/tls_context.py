"""Certificates and keys in PEM as a context of OpenSSL."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from exporter.web_config.model import ClientAuth, Pem, Tls, TlsVersion
from exporter.yamlfile.errors import ConfigError

# Content of a file by its path; raises ConfigError.
ReadFile = Callable[[str], bytes]

_VERSIONS: Final = {TlsVersion.TLS12: ssl.TLSVersion.TLSv1_2, TlsVersion.TLS13: ssl.TLSVersion.TLSv1_3}
_VERIFY: Final = {
    ClientAuth.NONE: ssl.CERT_NONE,
    ClientAuth.IF_GIVEN: ssl.CERT_OPTIONAL,
    ClientAuth.REQUIRED: ssl.CERT_REQUIRED,
}
_NOT_OF_ONE_PAIR: Final = ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH")


class _EncryptedKeyError(Exception):
    """A key needs a passphrase, which OpenSSL would ask for on the terminal."""


def read_pems(tls: Tls, read: ReadFile) -> dict[Pem, bytes]:
    """Return the content of all that is in PEM. Raises ConfigError with a line for each that fails."""
    found: dict[Pem, bytes] = {}
    lines: list[str] = []
    for pem in tls.pems:
        try:
            found[pem] = read(pem.path) if pem.path is not None else (pem.text or "").encode()
        except ConfigError as error:
            lines += [f"{pem.place}: {line}" for line in error.lines]
    if lines:
        raise ConfigError(lines)
    return found


def build_context(tls: Tls, pems: dict[Pem, bytes]) -> ssl.SSLContext:
    """Return a context for a server. Raises ConfigError where OpenSSL refuses what it is made from."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = _VERSIONS[tls.min_version]
    context.maximum_version = _VERSIONS[tls.max_version]
    # A client that starts another handshake on a connection would cost more than it pays.
    context.options |= ssl.OP_NO_RENEGOTIATION
    # Without tickets no session of TLS 1.3 is resumed: Prometheus keeps its connection, and to keep what
    # others need takes memory. Those of TLS 1.2 have an ID all the same; certificates.py limits their number.
    context.options |= ssl.OP_NO_TICKET
    context.num_tickets = 0
    if not tls.prefer_server_ciphers:
        context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE
    # Clients that offer HTTP/2 as well are told that it is not spoken.
    context.set_alpn_protocols(["http/1.1"])
    if tls.ciphers:
        context.set_ciphers(":".join(tls.ciphers))
    if tls.group is not None:
        context.set_ecdh_curve(tls.group)
    _load_pair(context, tls, pems)
    if tls.client_ca is not None:
        _load_authorities(context, tls.client_ca, pems[tls.client_ca])
    context.verify_mode = _VERIFY[tls.client_auth]
    # As in Go each certificate of the file is trusted, not only those that have signed themselves.
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _load_pair(context: ssl.SSLContext, tls: Tls, pems: dict[Pem, bytes]) -> None:
    # OpenSSL says of both alike that it cannot read them.
    _load_authorities(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), tls.certificate, pems[tls.certificate])
    try:
        with _as_file(pems[tls.certificate]) as certificate, _as_file(pems[tls.key]) as key:
            context.load_cert_chain(certificate, key, password=_refuse_to_ask)
    except _EncryptedKeyError:
        raise _error(tls.key, "the key needs a passphrase; write one without: `openssl pkey` does") from None
    except ssl.SSLError as error:
        raise _refusal(tls, error) from error


def _refusal(tls: Tls, error: ssl.SSLError) -> ConfigError:
    if error.reason in _NOT_OF_ONE_PAIR:
        return _error(tls.key, "the key is not that of the certificate; write the two that belong together")
    if not error.reason or error.library == "PEM":
        return _error(tls.key, "there is no private key in PEM here; write the key of the certificate")
    return _error(tls.certificate, f"OpenSSL refuses it ({error.reason}); make another certificate")


def _load_authorities(context: ssl.SSLContext, pem: Pem, content: bytes) -> None:
    # Python takes ASCII alone; around certificates may be any text (RFC 7468, section 2).
    text = content.decode("ascii", errors="backslashreplace")
    try:
        context.load_verify_locations(cadata=text)
    except (ssl.SSLError, ValueError) as error:
        raise _error(
            pem, "there is no certificate in PEM here; write one or more, one after the other"
        ) from (error)


@contextmanager
def _as_file(content: bytes) -> Iterator[str]:
    """Give a path that has the content, in memory alone: OpenSSL reads certificates and keys from paths."""
    descriptor = os.memfd_create("pem", os.MFD_CLOEXEC)
    try:
        with os.fdopen(descriptor, "wb", closefd=False) as file:
            file.write(content)
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)


def _refuse_to_ask() -> str:
    raise _EncryptedKeyError


def _error(pem: Pem, message: str) -> ConfigError:
    name = f"{pem.path}: " if pem.path is not None else ""
    return ConfigError([f"{pem.place}: {name}{message}"])
