"""Redis: one process that accepts and serves all clients."""

from __future__ import annotations

from pathlib import Path

from testbed import programs
from tests.e2e.services.service import Exchange, Service, tcp

_PORT = 6379


def service(folder: Path, *, backlog: int = 13) -> Service:
    """Backlog from `tcp-backlog`, whose default is 511."""
    options = {
        "port": str(_PORT),
        "bind": "127.0.0.1",
        "tcp-backlog": str(backlog),
        "save": "",
        "appendonly": "no",
        "dir": str(folder),
    }
    arguments = [word for name, value in options.items() for word in (f"--{name}", value)]
    return Service(
        name="redis",
        process="redis-server",
        command=(programs.find("redis-server"), *arguments),
        folder=folder,
        listeners=(tcp(_PORT, backlog),),
        exchanges=(Exchange(b"PING\r\n", b"+PONG\r\n"),),
    )
