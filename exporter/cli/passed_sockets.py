"""The sockets that the service manager passed to this process: sd_listen_fds(3) of systemd."""

from __future__ import annotations

import os
import socket
from collections.abc import MutableMapping

from exporter.errors import RunError

# SD_LISTEN_FDS_START of sd_listen_fds(3).
_FIRST_DESCRIPTOR = 3
# No number of the protocol has more digits than this.
_MAX_DIGITS = 20


def passed_sockets(environment: MutableMapping[str, str] = os.environ) -> list[socket.socket]:
    """Return the listening sockets that were passed; to be called before anything else is opened.

    `environment` says how many they are. That is removed there, so that no child takes them for its own.
    Raises RunError where LISTEN_FDS is no number, and where one of them is no listening TCP socket.
    """
    to_this = environment.pop("LISTEN_PID", "") == str(os.getpid())
    text = environment.pop("LISTEN_FDS", "0")
    environment.pop("LISTEN_FDNAMES", None)
    count = whole_number("LISTEN_FDS", text) if to_this else 0
    return [_listening(descriptor) for descriptor in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + count)]


def whole_number(name: str, text: str) -> int:
    """Return the value of a variable that the service manager sets. Raises RunError."""
    if not (text.isascii() and text.isdigit() and len(text) <= _MAX_DIGITS):
        raise RunError(f"{name} is {text!r} and no number; the service manager sets it")
    return int(text)


def _listening(descriptor: int) -> socket.socket:
    try:
        passed = socket.socket(fileno=descriptor)
        listens = passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
    except OSError as error:
        raise RunError(f"descriptor {descriptor} from LISTEN_FDS is no socket: {error.strerror}") from error
    if not listens or passed.family not in (socket.AF_INET, socket.AF_INET6):
        raise RunError(
            f"descriptor {descriptor} from LISTEN_FDS is no TCP socket that listens; "
            "write ListenStream=10511 and Accept=no in the socket unit"
        )
    passed.setblocking(False)  # noqa: FBT003  (the standard library's signature)
    passed.set_inheritable(False)
    return passed
