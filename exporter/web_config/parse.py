"""The text of a web configuration as a WebConfig."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Final

from yaml.error import Mark
from yaml.nodes import Node, ScalarNode

from exporter.web_config.keys import File, Headers, RateLimitConfig, TlsServerConfig
from exporter.web_config.model import Pem, RateLimit, WebConfig
from exporter.web_config.tls_checks import checked_tls
from exporter.yamlfile.document import compose
from exporter.yamlfile.errors import Diagnostics
from exporter.yamlfile.key import keys_of
from exporter.yamlfile.node import ConfigNode
from exporter.yamlfile.section import MappingType, Section

_FILE: Final = MappingType(File)
_HEADER_NAMES: Final = tuple(key.name for key in keys_of(Headers))
_EMPTY: Final = (
    "nothing is set in this file; write {} for neither TLS nor passwords, or start without --web.config.file"
)


def parse(text: str, name: str) -> WebConfig:
    """Return the web configuration in `text`, which is that of the file called `name`.

    Relative paths in it begin where the file is. Raises ConfigError with every error at once, except that
    invalid YAML hides the others, and that the files that it names are not read. One without a key is an
    error: a file that is being written looks like that, and without it everybody would be let in.
    """
    diagnostics = Diagnostics(name)
    root = compose(text, diagnostics)
    if root is None or _is_empty(root):
        diagnostics.add(Mark("", 0, 0, 0, None, 0), _EMPTY)
        diagnostics.raise_if_any()
        return WebConfig()
    file = _FILE.read(ConfigNode(root, "", diagnostics))
    config = _config(file, os.path.dirname(name))  # noqa: PTH120  ("" for the working directory)
    diagnostics.raise_if_any()
    return config


def _is_empty(root: Node) -> bool:
    return isinstance(root, ScalarNode) and root.value == "" and root.style is None


def _config(file: Section[File], folder: str) -> WebConfig:
    tls_section: Section[TlsServerConfig] = file.section("tls_server_config")
    tls = checked_tls(tls_section, tls_section.complete(TlsServerConfig()))
    rate_section: Section[RateLimitConfig] = file.section("rate_limit")
    whole = file.complete(File())
    headers = whole.http_server_config.headers
    values = (getattr(headers, name) for name in Headers.__slots__)
    if tls is not None:
        tls = replace(
            tls,
            certificate=_beside(tls.certificate, folder),
            key=_beside(tls.key, folder),
            client_ca=_beside(tls.client_ca, folder) if tls.client_ca else None,
        )
    return WebConfig(
        tls=tls,
        users=whole.basic_auth_users,
        rate_limit=_rate_limit(rate_section, whole.rate_limit),
        headers={name: value for name, value in zip(_HEADER_NAMES, values, strict=True) if value},
    )


def _beside(pem: Pem, folder: str) -> Pem:
    return pem if pem.path is None else replace(pem, path=os.path.join(folder, pem.path))  # noqa: PTH118


def _rate_limit(section: Section[RateLimitConfig], limit: RateLimitConfig) -> RateLimit | None:
    nodes = section.nodes
    if limit.interval_seconds > 0 and limit.burst == 0 and section.node and section.valid:
        nodes.get("burst", section.node).add_error(
            "a burst of 0, which is the default, refuses every request; write burst: 1 or more"
        )
    if "burst" in nodes and "interval" not in nodes:
        nodes["burst"].add_error("without effect as there is no interval; write one, such as interval: 100ms")
    return RateLimit(limit.interval_seconds, limit.burst) if limit.interval_seconds > 0 else None
