"""What a web configuration means, for people."""

from __future__ import annotations

from functools import partial

from exporter.web.web_settings import load
from exporter.web_config.model import ClientAuth, Tls
from exporter.yamlfile.errors import printable_path
from exporter.yamlfile.timed_load import TimedLoad


def web_report(path: str) -> str:
    """Return one line about a valid web configuration. Raises ConfigError."""
    config = TimedLoad(path, partial(load, path)).load().config
    users = len(config.users)
    parts = [
        _tls(config.tls),
        f"{users} user{'' if users == 1 else 's'} with a password" if users else "no passwords",
    ]
    if config.rate_limit is not None:
        limit = config.rate_limit
        parts.append(f"a request every {limit.interval_seconds:g} s, {limit.burst} at once")
    return f"{printable_path(path)}: valid, {', '.join(parts)}\n"


def _tls(tls: Tls | None) -> str:
    if tls is None:
        return "plain HTTP"
    match tls.client_auth:
        case ClientAuth.NONE:
            return "TLS"
        case ClientAuth.IF_GIVEN:
            return "TLS with client certificates where they are given"
        case ClientAuth.REQUIRED:
            return "TLS with client certificates"
