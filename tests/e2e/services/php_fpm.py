"""PHP's FastCGI process manager: children that accept at the unix socket which their master opened."""

from __future__ import annotations

import struct
from pathlib import Path

from testbed import programs
from tests.e2e.services.service import NamespaceSlot, Service, unix

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
    """Backlog from `listen.backlog`; its default is 511."""
    config, path = folder / "php-fpm.conf", folder / "php.sock"
    config.write_text(_CONFIG.format(path=path, backlog=backlog))
    return Service(
        name="php-fpm",
        process="php-fpm8.2",
        # Without php.ini, and as root, whom it refuses unless told.
        command=(programs.find("php-fpm8.2"), "-n", "-R", "-F", "-y", str(config)),
        folder=folder,
        listeners=(unix(path, backlog),),
        dialogue=(_which_connections(),),
    )


def _which_connections() -> NamespaceSlot:
    """Ask whether it takes several requests on one connection: it says 0."""
    name = b"FCGI_MPXS_CONNS"
    asked = bytes([len(name), 0]) + name
    told = bytes([len(name), 1]) + name + b"0"
    padding = -len(told) % 8
    return NamespaceSlot(
        _HEADER.pack(1, _GET_VALUES, 0, len(asked), 0, 0) + asked,
        _HEADER.pack(1, _GET_VALUES_RESULT, 0, len(told), padding, 0) + told,
    )
