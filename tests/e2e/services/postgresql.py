"""PostgreSQL: one process accepts from a TCP and a unix socket, and forks for each client."""

from __future__ import annotations

import os
import struct
import subprocess
from pathlib import Path

import pytest

from testbed import programs
from testbed.privileges import NOBODY
from tests.e2e.services.service import Exchange, Service, tcp, unix

_PORT = 5432
_MAX_CONNECTIONS = 6
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "port": str(_PORT),
    "max_connections": str(_MAX_CONNECTIONS),
    "autovacuum_max_workers": "1",
    "max_worker_processes": "1",
    "max_wal_senders": "0",
    "wal_level": "minimal",
    "fsync": "off",
}
# Twice MaxBackends (src/backend/libpq/pqcomm.c of version 15), which is the sum of connections, autovacuum
# workers and their launcher, other workers, WAL senders (src/backend/utils/init/postinit.c).
BACKLOG = 2 * (_MAX_CONNECTIONS + 1 + 1 + 1 + 0)

# Protocol 3.0; each message begins with its length.
_SSL_REQUEST = struct.pack("!II", 8, 80877103)
_PARAMETERS = b"user\0postgres\0database\0postgres\0\0"
_STARTUP = struct.pack("!II", 8 + len(_PARAMETERS), 3 << 16) + _PARAMETERS
_AUTHENTICATION_OK = b"R" + struct.pack("!II", 8, 0)


def service(folder: Path) -> Service:
    """Set up a new cluster, whose backlog follows from max_connections and the numbers of workers.

    It runs as nobody, because it refuses to run as root.
    """
    initdb, postgres = programs.find("initdb"), programs.find("postgres")
    try:
        os.chown(folder, NOBODY, NOBODY)
    except OSError as refused:
        pytest.skip(f"PostgreSQL does not run as root, and files cannot be given to user nobody: {refused}")
    data = folder / "data"
    try:
        done = subprocess.run(
            [initdb, "-D", data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"],
            cwd=folder,
            user=NOBODY,
            group=NOBODY,
            extra_groups=[],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    except PermissionError as refused:
        pytest.skip(f"PostgreSQL does not run as root, and user nobody may not execute it: {refused}")
    if done.returncode != 0:
        pytest.fail(f"initdb exited with {done.returncode}: {done.stderr}{done.stdout}")
    settings = {**_SETTINGS, "unix_socket_directories": str(folder)}
    arguments = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
    return Service(
        name="postgresql",
        process="postgres",
        command=(postgres, "-D", str(data), *arguments),
        folder=folder,
        listeners=(tcp(_PORT, BACKLOG), unix(folder / f".s.PGSQL.{_PORT}", BACKLOG)),
        # N: without TLS.
        exchanges=(Exchange(_SSL_REQUEST, b"N"), Exchange(_STARTUP, _AUTHENTICATION_OK)),
        user=NOBODY,
    )
