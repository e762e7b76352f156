"""Checks what the keys of tls_server_config say together."""

from __future__ import annotations

from typing import Final

from exporter.web_config.keys import TlsServerConfig
from exporter.web_config.model import ClientAuth, Pem, Tls, TlsVersion
from exporter.yamlfile.node import ConfigNode
from exporter.yamlfile.section import Section

_CHECKING: Final = "RequireAndVerifyClientCert"
# The fields that are not called as their keys are.
_FIELDS: Final = {"key": "private_key"}


def checked_tls(section: Section[TlsServerConfig], config: TlsServerConfig) -> Tls | None:
    """Return how TLS is spoken, or None where the section is left out or wrong.

    Errors are added to the nodes of the section.
    """
    if section.node is None or not section.node.is_mapping:
        return None
    certificate = _one_of(section, section.node, "cert", needed=True)
    key = _one_of(section, section.node, "key", needed=True)
    client_ca = _one_of(section, section.node, "client_ca", needed=False)
    _check_clients(section, config)
    ciphers = tuple(name for name in config.cipher_suites if name)
    _check_versions(section, config, ciphers)
    if len(config.curve_preferences) > 1:
        section.nodes["curve_preferences"].add_error(
            "more than one curve is not supported; write one of them, or leave it out for the usual ones"
        )
    if certificate is None or key is None:
        return None
    return Tls(
        certificate,
        key,
        client_ca,
        config.client_auth_type,
        frozenset(config.client_allowed_sans),
        config.min_version,
        config.max_version,
        ciphers,
        config.curve_preferences[0] if config.curve_preferences else None,
        config.prefer_server_cipher_suites,
    )


def _one_of(section: Section[TlsServerConfig], node: ConfigNode, name: str, *, needed: bool) -> Pem | None:
    """Return the value of the key `name`, or of the one that names a file."""
    in_file = f"{name}_file"
    if name in section.nodes and in_file in section.nodes:
        section.nodes[in_file].add_error(f"{name} is there as well; keep one of the two")
    elif needed and name not in section.nodes and in_file not in section.nodes:
        node.add_error(f"{in_file} is missing; write it, or {name}, or leave tls_server_config out")
    found: Pem | None = section.values.get(in_file, section.values.get(_FIELDS.get(name, name)))
    return found


def _check_clients(section: Section[TlsServerConfig], config: TlsServerConfig) -> None:
    nodes = section.nodes
    ca = next((nodes[name] for name in ("client_ca_file", "client_ca") if name in nodes), None)
    sans, auth = nodes.get("client_allowed_sans"), nodes.get("client_auth_type")
    asks_nobody = config.client_auth_type is ClientAuth.NONE and (
        auth is None or "client_auth_type" in section.values
    )
    for node in (ca, sans):
        if node is not None and asks_nobody:
            node.add_error(
                "without effect, as no client is asked for a certificate;"
                f" write client_auth_type: {_CHECKING}"
            )
    if auth is not None and ca is None and config.client_auth_type is not ClientAuth.NONE:
        auth.add_error(
            "client_ca_file is missing: a certificate from any public authority would do;"
            " write client_ca_file with the authority of your clients"
        )


def _check_versions(
    section: Section[TlsServerConfig], config: TlsServerConfig, ciphers: tuple[str, ...]
) -> None:
    nodes = section.nodes
    if config.min_version > config.max_version:
        node = nodes.get("max_version", nodes.get("min_version"))
        if node is not None:
            node.add_error(
                f"the newest version ({config.max_version.name}) is older than the oldest"
                f" ({config.min_version.name}); write min_version: {config.max_version.name} or less"
            )
    if config.cipher_suites and not ciphers and config.min_version is TlsVersion.TLS12:
        nodes["cipher_suites"].add_error(
            "none of these is for TLS 1.2; write one that is, or min_version: TLS13"
        )
