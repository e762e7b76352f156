"""The daemon: sampler, page and server put together, and the signals that end it."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import socket
import sys
import threading
from collections.abc import Sequence
from functools import partial
from typing import Final

from prometheus_client import ProcessCollector

from exporter import __version__
from exporter.cli import logs
from exporter.cli.build import build_info
from exporter.cli.flags import DEFAULT_LISTEN_ADDRESS, RunFlags
from exporter.cli.privileges import drop_all, start_broker
from exporter.cli.routes import build_router
from exporter.cli.systemd import ServiceManager
from exporter.config import load
from exporter.config.model import Config
from exporter.errors import ExporterError
from exporter.metrics.context import Reload
from exporter.metrics.page import Page
from exporter.sampling.clock import SYSTEM_CLOCK, Clock
from exporter.sampling.environment import host_environment
from exporter.sampling.sampler import Sampler
from exporter.web.address import ListenAddress, bind
from exporter.web.server import Server

# SIGTERM promises an end within two seconds, with a sample and slow clients under way.
_STOP_SECONDS: Final = 0.5
# How long clients wait at the start: a page without listeners would look as if there were none.
_FIRST_SAMPLE_SECONDS: Final = 1.0
_POLL_SECONDS: Final = 0.02

log = logging.getLogger(__name__)


def run(flags: RunFlags) -> int:
    """Sample and serve until a signal comes. Return 0 after SIGTERM or SIGINT, 1 where sampling broke.

    Raises ConfigError, UsageError or RunError before anything is started.
    """
    logs.set_up(flags.log_level, flags.log_format, sys.stderr)
    config = load(flags.config_file) if flags.config_file else Config()
    # All that is here stays until the end, and to collect garbage in it takes as long as an interval.
    gc.freeze()
    service_manager = ServiceManager()
    sockets = service_manager.sockets()
    wanted = flags.listen_addresses or (() if sockets else (DEFAULT_LISTEN_ADDRESS,))
    addresses = [ListenAddress.parse(text) for text in wanted]
    broker = start_broker()
    # Ports below 1024 need a capability, so this comes before the capabilities are dropped.
    sockets += bind(addresses)
    drop_all()
    daemon = Daemon(flags, Sampler(config, host_environment(broker)), service_manager, SYSTEM_CLOCK)
    return asyncio.run(daemon.serve(sockets))


class Daemon:
    """The running exporter: the sampler's thread, the server in this one, and the signals."""

    def __init__(
        self, flags: RunFlags, sampler: Sampler, service_manager: ServiceManager, clock: Clock
    ) -> None:
        """Nothing runs yet. Raises UsageError for a path that cannot be served."""
        self._flags = flags
        self._service_manager = service_manager
        self._sampler = sampler
        self._clock = clock
        self._reload = Reload(successful=True, timestamp=clock.wall())
        # What is wrong with the file since it was last read; the configuration before it is in force.
        self._config_error: str | None = None
        # SIGHUP and the endpoint come from different threads.
        self._reloading = threading.Lock()
        page = Page(sampler, lambda: self._reload, build_info(), clock, ProcessCollector(registry=None))
        self._router = build_router(flags, page, sampler, self)

    async def serve(self, sockets: Sequence[socket.socket]) -> int:
        """Serve until a signal or a failure ends it, and return the exit status."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, ended.set)
        loop.add_signal_handler(signal.SIGHUP, self.reload)
        self._sampler.start(failed=partial(loop.call_soon_threadsafe, ended.set))
        server = Server(self._router, sockets)
        await self._wait_for_first_sample(ended)
        server.start()
        log.info("listening", extra={"fields": {"address": _names(sockets), "version": __version__}})
        reporting = asyncio.create_task(self._service_manager.report(self))
        await ended.wait()
        reporting.cancel()
        self._service_manager.stopping()
        self._sampler.stop(_STOP_SECONDS)
        await server.stop()
        log.info("stopped")
        return 0 if self._sampler.failure is None else 1

    async def _wait_for_first_sample(self, ended: asyncio.Event) -> None:
        """Return when the page has every listener with its owner, or a second has passed."""
        until = self._clock.monotonic() + _FIRST_SAMPLE_SECONDS
        while not (ended.is_set() or self._complete() or self._clock.monotonic() > until):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)

    def _complete(self) -> bool:
        if not self._sampler.all_sources_ran():
            return False
        with self._sampler.lock:
            return self._sampler.all_owners_searched()

    def reload(self) -> str | None:
        """Read the configuration file again. Where it is wrong the old one stays; return what is wrong."""
        with self._reloading:
            self._service_manager.reloading()
            self._config_error = self._load_again()
            self._service_manager.reloaded(self.status())
            return self._config_error

    def _load_again(self) -> str | None:
        if self._flags.config_file is None:
            log.info("nothing to reload: started without --config.file")
            return None
        try:
            config = load(self._flags.config_file)
        except ExporterError as error:
            self._reload = Reload(successful=False, timestamp=self._reload.timestamp)
            for line in str(error).splitlines():
                log.error("configuration not reloaded: %s", line)  # noqa: TRY400  (the text says it all)
            return str(error)
        self._sampler.configure(config)
        self._reload = Reload(successful=True, timestamp=self._clock.wall())
        log.info("configuration reloaded", extra={"fields": {"file": self._flags.config_file}})
        return None

    def started(self) -> bool:
        """Return whether every source was sampled once."""
        return self._sampler.all_sources_ran()

    def late_seconds(self) -> float:
        """Return for how long the next sample is overdue."""
        return self._sampler.late_seconds()

    def status(self) -> str:
        """Return the line that the service manager shows for this service."""
        now = self._clock.monotonic()
        with self._sampler.lock:
            listeners = self._sampler.published(now)
            full = sum((state.group.utilization or 0) >= 1 for state in listeners)
            failed = [runner for runner in self._sampler.runners if not runner.healthy(now)]
            namespaces = len(self._sampler.namespaces)
        parts = [f"{len(listeners)} listeners, {full} full; network namespaces: {namespaces}"]
        if self._config_error is not None:
            first, *_ = self._config_error.splitlines()
            parts.append(f"configuration not reloaded: {first}")
        if failed:
            parts.append("cannot see: " + ", ".join(f"{runner.name} of {runner.netns}" for runner in failed))
        return "; ".join(parts)


def _names(sockets: Sequence[socket.socket]) -> str:
    return " ".join(str(ListenAddress(*opened.getsockname()[:2])) for opened in sockets)
