"""The daemon: the one place where every room is put together."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import threading
import time
from collections.abc import Sequence
from functools import partial

from exporter import __version__
from exporter.cli import logs
from exporter.cli.flags import DEFAULT_LISTEN_ADDRESS, RunFlags
from exporter.cli.privileges import drop_all, start_broker
from exporter.cli.routes import build_router
from exporter.cli.systemd import ServiceManager
from exporter.config import load
from exporter.config.model import Config
from exporter.errors import ExporterError
from exporter.kernel.netns.broker_client import BrokerClient
from exporter.metrics.context import Reload
from exporter.metrics.page import Page
from exporter.sampling.sampler import Sampler
from exporter.web.address import ListenAddress, bind
from exporter.web.server import Server

# SIGTERM promises an end within two seconds, with a sample and slow clients under way.
_STOP_SECONDS = 0.5
# Whoever asks at the start waits so long at most: a page without listeners would look as if there were none.
_FIRST_LOOK_SECONDS = 1.0
_ASK_SECONDS = 0.02

log = logging.getLogger(__name__)


def run(flags: RunFlags) -> int:
    """Sample and serve until a signal comes. Return 0 after SIGTERM or SIGINT, 1 where sampling broke.

    Raises ConfigError, UsageError or RunError before anything is started.
    """
    logs.set_up(flags.log_level, flags.log_format)
    config = load(flags.config_file) if flags.config_file else Config()
    # All that is here stays until the end, and to look through it for garbage takes as long as a beat.
    gc.freeze()
    supervisor = ServiceManager()
    sockets = supervisor.sockets()
    wanted = flags.listen_addresses or (() if sockets else (DEFAULT_LISTEN_ADDRESS,))
    addresses = [ListenAddress.parse(text) for text in wanted]
    broker = start_broker()
    # Ports below 1024 are for who may bind them, so this comes before the capabilities go.
    sockets += bind(addresses)
    drop_all()
    daemon = Daemon(flags, config, broker, supervisor)
    return asyncio.run(daemon.serve(sockets))


class Daemon:
    """The running exporter: the sampler's thread, the server in this one, and the signals."""

    def __init__(
        self, flags: RunFlags, config: Config, broker: BrokerClient | None, supervisor: ServiceManager
    ) -> None:
        """Put the rooms together; nothing runs yet. Raises UsageError for a path that cannot be served."""
        self._flags = flags
        self._supervisor = supervisor
        self._sampler = Sampler(config, broker=broker)
        self._reload = Reload(successful=True, timestamp=time.time())
        # What is wrong with the file since it was last read; the one before is in force.
        self._wrong: str | None = None
        # SIGHUP and the endpoint come from different threads.
        self._reloading = threading.Lock()
        self._page = Page(self._sampler, lambda: self._reload)
        self._router = build_router(flags, self._page, self._sampler, self)

    async def serve(self, sockets: Sequence[socket.socket]) -> int:
        """Serve until a signal or a failure ends it, and return the exit status."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        self._sampler.start(failed=partial(loop.call_soon_threadsafe, ended.set))
        server = Server(self._router, sockets)
        await self._first_look(ended)
        server.start()
        log.info("listening", extra={"fields": {"address": _names(sockets), "version": __version__}})
        informing = asyncio.create_task(
            self._supervisor.keep_informed(self._sampler.asked, self._sampler.late_seconds, self._status)
        )
        await ended.wait()
        informing.cancel()
        self._supervisor.stopping()
        self._sampler.stop(_STOP_SECONDS)
        await server.stop()
        return 0 if self._sampler.failure is None else 1

    async def _first_look(self, ended: asyncio.Event) -> None:
        """Return when the page has every listener, or it is no use to wait for that."""
        until = time.monotonic() + _FIRST_LOOK_SECONDS
        while not (ended.is_set() or self._has_looked() or time.monotonic() > until):  # noqa: ASYNC110
            await asyncio.sleep(_ASK_SECONDS)

    def _has_looked(self) -> bool:
        if not self._sampler.asked():
            return False
        with self._sampler.lock:
            return self._sampler.all_named()

    def reload(self) -> str | None:
        """Read the configuration file again. Where it is wrong the old one stays; return what is wrong."""
        with self._reloading:
            self._supervisor.reloading()
            self._wrong = self._read_again()
            self._supervisor.reloaded(self._status())
            return self._wrong

    def _read_again(self) -> str | None:
        if self._flags.config_file is None:
            log.info("nothing to reload: started without --config.file")
            return None
        try:
            config = load(self._flags.config_file)
        except ExporterError as error:
            self._reload = Reload(successful=False, timestamp=self._reload.timestamp)
            for line in str(error).splitlines():
                log.error("configuration not reloaded: %s", line)  # noqa: TRY400  (the text is the whole story)
            return str(error)
        self._sampler.configure(config)
        self._reload = Reload(successful=True, timestamp=time.time())
        log.info("configuration reloaded", extra={"fields": {"file": self._flags.config_file}})
        return None

    def _status(self) -> str:
        """Write one line for whoever asks the service manager how this service is."""
        now = time.monotonic()
        with self._sampler.lock:
            listeners = self._sampler.shown(now)
            full = sum((state.group.utilization or 0) >= 1 for state in listeners)
            blind = [source for source in self._sampler.sources if not source.healthy(now)]
            namespaces = len(self._sampler.namespaces)
        parts = [f"{len(listeners)} listeners, {full} full; network namespaces: {namespaces}"]
        if self._wrong is not None:
            first, *_ = self._wrong.splitlines()
            parts.append(f"configuration not reloaded: {first}")
        if blind:
            parts.append("cannot see: " + ", ".join(f"{source.name} of {source.netns}" for source in blind))
        return "; ".join(parts)


def _names(sockets: Sequence[socket.socket]) -> str:
    return " ".join("{}:{}".format(*opened.getsockname()) for opened in sockets)
