"""php-fpm: children that accept from the unix socket that their master opened."""

from __future__ import annotations

import struct
from pathlib import Path

from testbed import programs
from tests.e2e.services.service import Exchange, Service, unix

_CONFIG = """\
[global]
error_log = /proc/self/fd/2
daemonize = no

[www]
user = root
group = root
listen = {path}
listen.backlog = {backlog}
pm = static
pm.max_children = 2
"""

# FastCGI 1.0, sections 3.3 and 4.1: version, type, request id, content length, padding length, reserved.
_HEADER = struct.Struct("!BBHHBB")
_GET_VALUES, _GET_VALUES_RESULT = 9, 10


def service(folder: Path, *, backlog: int = 7) -> Service:
    """Backlog from `listen.backlog`, whose default is 511."""
    config, path = folder / "php-fpm.conf", folder / "php.sock"
    config.write_text(_CONFIG.format(path=path, backlog=backlog))
    return Service(
        name="php-fpm",
        process="php-fpm8.2",
        # -n: without php.ini. -R: root is allowed.
        command=(programs.find("php-fpm8.2"), "-n", "-R", "-F", "-y", str(config)),
        folder=folder,
        listeners=(unix(path, backlog),),
        exchanges=(_ask_for_multiplexing(),),
    )


def _ask_for_multiplexing() -> Exchange:
    """FCGI_GET_VALUES for FCGI_MPXS_CONNS, several requests on one connection: the reply is 0."""
    name = b"FCGI_MPXS_CONNS"
    request = bytes([len(name), 0]) + name
    reply = bytes([len(name), 1]) + name + b"0"
    padding = -len(reply) % 8
    return Exchange(
        _HEADER.pack(1, _GET_VALUES, 0, len(request), 0, 0) + request,
        _HEADER.pack(1, _GET_VALUES_RESULT, 0, len(reply), padding, 0) + reply,
    )
