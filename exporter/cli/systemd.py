"""What is said to the service manager that started this process, and the sockets it handed over.

The protocol is that of systemd, which others speak too: sd_notify(3), sd_listen_fds(3), and
sd_watchdog_enabled(3) for how often it wants to hear that all is well.
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Callable, MutableMapping

from exporter.errors import RunError

_FIRST_PASSED = 3
_ASK_SECONDS = 0.05
# How often the line in `systemctl status` is written anew where no watchdog asks for more.
_STATUS_SECONDS = 10.0
# How long a service manager that has much to read is waited for; a READY that is lost may cost a restart.
_PATIENCE_SECONDS = 0.5
# systemd throws a longer datagram away (NOTIFY_BUFFER_MAX in its src/core/manager.c), and WATCHDOG=1 with it.
_MOST_STATUS_BYTES = 2048
# So many digits fit into every number that the protocol has.
_MOST_DIGITS = 20

log = logging.getLogger(__name__)


class ServiceManager:
    """The service manager. Where there is none, everything said is said to nobody."""

    def __init__(self, environment: MutableMapping[str, str] = os.environ) -> None:
        """Take what was said out of the environment, so that no child believes it is meant.

        Raises RunError for what is no number.
        """
        self._address = environment.pop("NOTIFY_SOCKET", "")
        us = str(os.getpid())
        state = environment.pop("WATCHDOG_PID", us) == us
        microseconds = environment.pop("WATCHDOG_USEC", "0")
        self._watchdog_seconds = _number("WATCHDOG_USEC", microseconds) / 1e6 if state else 0.0
        passed = environment.pop("LISTEN_PID", "") == us
        count = environment.pop("LISTEN_FDS", "0")
        self._passed = _number("LISTEN_FDS", count) if passed else 0
        environment.pop("LISTEN_FDNAMES", None)
        self._ready = False

    def sockets(self) -> list[socket.socket]:
        """Take over the listening sockets that were passed, if any.

        Raises RunError where one of them is not a TCP socket that listens.
        """
        taken = []
        for number in range(_FIRST_PASSED, _FIRST_PASSED + self._passed):
            try:
                passed = socket.socket(fileno=number)
                listens = passed.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
            except OSError as error:
                raise RunError(
                    f"descriptor {number} from LISTEN_FDS is no socket: {error.strerror}"
                ) from error
            if not listens or passed.family not in (socket.AF_INET, socket.AF_INET6):
                raise RunError(
                    f"descriptor {number} from LISTEN_FDS is no TCP socket that listens; "
                    "write ListenStream=10511 and Accept=no in the socket unit"
                )
            passed.setblocking(False)  # noqa: FBT003  (the standard library's signature)
            passed.set_inheritable(False)
            taken.append(passed)
        return taken

    async def keep_informed(
        self, started: Callable[[], bool], late_seconds: Callable[[], float], status: Callable[[], str]
    ) -> None:
        """Say READY once `started`; then the status, and as long as the work is not late that all is well.

        `status` is called in a worker thread, since it may have to wait for the work.
        """
        if not self._address:
            return
        while not started():  # noqa: ASYNC110  (it comes from a thread that knows of no loop)
            await asyncio.sleep(_ASK_SECONDS)
        self._ready = True
        self._say("READY=1")
        # Twice as often as it wants to hear, as sd_watchdog_enabled(3) advises.
        pause = min(_STATUS_SECONDS, self._watchdog_seconds / 2 or _STATUS_SECONDS)
        while True:
            late = late_seconds()
            if late < pause:
                self._say("WATCHDOG=1", _status(await asyncio.to_thread(status)))
            else:
                self._say(_status(f"no sample for {late:.0f} s"))
            await asyncio.sleep(pause)

    def reloading(self) -> None:
        """Say that the configuration is being read again; `reloaded` ends it.

        Before READY both say nothing: it is not a reload that makes the service ready.
        """
        if self._ready:
            self._say("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def reloaded(self, status: str) -> None:
        """Say that the configuration was read, and the status since then."""
        if self._ready:
            self._say("READY=1", _status(status))

    def stopping(self) -> None:
        """Say that this process is about to end."""
        self._say("STOPPING=1")

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        address = f"\0{self._address[1:]}" if self._address.startswith("@") else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
                channel.settimeout(_PATIENCE_SECONDS)
                # One that is not connected is not told when the other's queue has room again.
                channel.connect(address)
                channel.send("\n".join(lines).encode())
        except OSError as error:
            log.warning("cannot notify %s: %s", self._address, error.strerror or error)


def _status(text: str) -> str:
    """Keep to one line that the service manager takes."""
    line = " ".join(text.splitlines()).encode(errors="replace")[:_MOST_STATUS_BYTES]
    return f"STATUS={line.decode(errors='ignore')}"


def _number(name: str, text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        raise RunError(f"{name} is {text!r} and no number; the service manager sets it")
    return int(text)
