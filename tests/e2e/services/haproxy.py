"""HAProxy: a master process that accepts nothing, and a worker whose threads share one socket."""

from __future__ import annotations

from pathlib import Path

from testbed import programs
from tests.e2e.services.service import HTTP, Service, tcp

_PORT = 8404
_CONFIG = """\
global
    nbthread 2

defaults
    mode http
    timeout client 60s
    timeout connect 60s
    timeout server 60s

frontend web
    bind 127.0.0.1:{port}
    backlog {backlog}
    http-request return status 200
"""


def service(folder: Path, *, backlog: int = 17) -> Service:
    """Backlog from `backlog` of the frontend, whose default is its maxconn."""
    config = folder / "haproxy.cfg"
    config.write_text(_CONFIG.format(port=_PORT, backlog=backlog))
    return Service(
        name="haproxy",
        process="haproxy",
        command=(programs.find("haproxy"), "-W", "-db", "-f", str(config)),
        folder=folder,
        listeners=(tcp(_PORT, backlog),),
        exchanges=HTTP,
    )
