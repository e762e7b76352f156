"""Messages to the service manager that started this process.

The protocol is that of systemd, which other service managers implement too: sd_notify(3) and
sd_watchdog_enabled(3).
"""

from __future__ import annotations

import asyncio
import logging
import os
import socket
import time
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Protocol

from exporter.cli.passed_sockets import whole_number

_START_POLL_SECONDS = 0.05
# How often the line in `systemctl status` is updated, unless the watchdog asks for more.
_STATUS_SECONDS = 10.0
# A busy service manager leaves messages in its queue; a READY=1 that is lost may lead to a restart.
_SEND_TIMEOUT_SECONDS = 0.5
# systemd discards longer datagrams (NOTIFY_BUFFER_MAX in its src/core/manager.c), WATCHDOG=1 included.
_MAX_STATUS_BYTES = 2048

log = logging.getLogger(__name__)


class Service(Protocol):
    """What is reported to the service manager."""

    def started(self) -> bool:
        """Return whether the service is ready."""
        ...

    def late_seconds(self) -> float:
        """Return for how long its work is overdue."""
        ...

    def status(self) -> str:
        """Describe it in one line; called in a worker thread, so it may block."""
        ...


class ServiceManager:
    """The service manager of this process; where there is none, all messages are dropped.

    `environment` has what the service manager set for this process. It is removed there, so that no child
    takes it for its own. Raises RunError where WATCHDOG_USEC is no number.
    """

    def __init__(
        self,
        environment: MutableMapping[str, str] = os.environ,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        monotonic_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._sleep = sleep
        self._monotonic_ns = monotonic_ns
        self._address = environment.pop("NOTIFY_SOCKET", "")
        pid = str(os.getpid())
        watched = environment.pop("WATCHDOG_PID", pid) == pid
        microseconds = environment.pop("WATCHDOG_USEC", "0")
        self._watchdog_seconds = whole_number("WATCHDOG_USEC", microseconds) / 1e6 if watched else 0.0
        self._ready = False
        self._channel: socket.socket | None = None

    def connect(self) -> None:
        """Connect to the service manager, for a process that may not do so later, as another user."""
        if self._address:
            with suppress(OSError):
                self._channel = self._connected()

    async def report(self, service: Service) -> None:
        """Send READY=1 once the service has started, then its status, and WATCHDOG=1 unless it is late.

        Runs until it is cancelled.
        """
        if not self._address:
            return
        while not service.started():
            await self._sleep(_START_POLL_SECONDS)
        self._ready = True
        self._send("READY=1")
        # sd_watchdog_enabled(3) advises half of the time that the service manager waits.
        pause = min(_STATUS_SECONDS, self._watchdog_seconds / 2 or _STATUS_SECONDS)
        while True:
            late = service.late_seconds()
            if late < pause:
                self._send("WATCHDOG=1", _status(await asyncio.to_thread(service.status)))
            else:
                self._send(_status(f"no sample for {late:.0f} s"))
            await self._sleep(pause)

    def reloading(self) -> None:
        """Tell that a reload begins; `reloaded` tells its end.

        Both do nothing before READY=1, since the end of a reload would count as that.
        """
        if self._ready:
            self._send("RELOADING=1", f"MONOTONIC_USEC={self._monotonic_ns() // 1000}")

    def reloaded(self, status: str) -> None:
        """Tell that a reload has ended, and the status after it."""
        if self._ready:
            self._send("READY=1", _status(status))

    def stopping(self) -> None:
        """Tell that this process is about to end."""
        self._send("STOPPING=1")

    def _send(self, *lines: str) -> None:
        if not self._address:
            return
        message = "\n".join(lines).encode()
        try:
            if self._channel is not None and self._sent(self._channel, message):
                return
            with self._connected() as channel:
                channel.send(message)
        except OSError as error:
            log.warning("cannot notify %s: %s", self._address, error.strerror or error)

    @staticmethod
    def _sent(channel: socket.socket, message: bytes) -> bool:
        """Send a message, or tell that nobody listens there any more: the socket may have been made anew."""
        try:
            channel.send(message)
        except (ConnectionRefusedError, ConnectionResetError):
            return False
        return True

    def _connected(self) -> socket.socket:
        """Return a socket that is connected to the service manager. Raises OSError."""
        channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        try:
            channel.settimeout(_SEND_TIMEOUT_SECONDS)
            # An unconnected datagram socket is not woken up when the receiver's queue has space again.
            channel.connect(f"\0{self._address[1:]}" if self._address.startswith("@") else self._address)
        except OSError:
            channel.close()
            raise
        return channel


def _status(text: str) -> str:
    """Return the STATUS assignment, as one line of a length that systemd accepts."""
    line = " ".join(text.splitlines()).encode(errors="replace")[:_MAX_STATUS_BYTES]
    return f"STATUS={line.decode(errors='ignore')}"
