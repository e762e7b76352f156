"""The daemon: sampler, page and server put together, and the signals that end it."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import socket
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Final

from prometheus_client import ProcessCollector

from exporter import __version__
from exporter.api.documents import build_documents
from exporter.cli.build import build_info
from exporter.cli.client_limits import limits_of_clients
from exporter.cli.config_files import ConfigFiles
from exporter.cli.daemon_start import LOG_SECONDS, DaemonStart
from exporter.cli.descriptors import raise_descriptor_limit
from exporter.cli.file_changes import FileChanges
from exporter.cli.flags import DEFAULT_LISTEN_ADDRESS, RunFlags
from exporter.cli.log_limit import LogLimit
from exporter.cli.log_writer import LogWriter
from exporter.cli.named_files import NamedFiles
from exporter.cli.needed_threads import NeededThreads
from exporter.cli.routes import build_router, check_telemetry_path
from exporter.cli.signals import ProcessSignals
from exporter.cli.socket_owner import parse_owner
from exporter.cli.supervision import Supervision
from exporter.cli.systemd import ServiceManager
from exporter.cli.web_access import WebAccess
from exporter.config import ConfigFile
from exporter.metrics.context import LogLines
from exporter.metrics.page import Page
from exporter.sampling.clock import SYSTEM_CLOCK, Clock
from exporter.sampling.environment import Brokers, host_environment
from exporter.sampling.sampler import Sampler
from exporter.status_page.status_pages import StatusPages
from exporter.web.address import parse_address
from exporter.web.cpu_allowance import CpuAllowance
from exporter.web.listening import bind, name_of
from exporter.web.server import Server
from exporter.web.shared_pages import SharedPages
from exporter.web.unix_listener import SocketPermissions

# SIGTERM promises an end within two seconds, with a sample and slow clients under way. What has not ended by
# itself in the time of the last of these does not end at all.
_STOP_SECONDS: Final = 0.5
_FORCED_STOP_SECONDS: Final = 1.5
# How long clients wait at the start: a page without listeners would look as if there were none.
_FIRST_SAMPLE_SECONDS: Final = 3.0
_POLL_SECONDS: Final = 0.02
# A scrape costs the same however small the budget for samples is.
_MIN_CLIENT_SHARE: Final = 0.016
_CLIENT_PART: Final = 0.8

log = logging.getLogger(__name__)


def run(flags: RunFlags, signals: ProcessSignals, start: DaemonStart) -> int:
    """Sample and serve until a signal comes. Return 0 after SIGTERM or SIGINT, 1 where a part of it broke.

    Raises ConfigError, UsageError or RunError before anything is sampled.
    """
    check_telemetry_path(flags.telemetry_path)
    named, privileges = NamedFiles(start.files), start.privileges
    config_file = ConfigFile(flags.config_file, named.read) if flags.config_file else None
    changes = FileChanges(flags.config_files, named.content, flags.auto_reload_seconds)
    # Before they are read, so that a change in between is seen later.
    changes.look()
    files = ConfigFiles(config_file, WebAccess(flags.web_config_file, named.content), changes)
    config = files.load_config()
    # All that is here stays until the end, and to collect garbage in it takes as long as an interval.
    gc.freeze()
    service_manager = ServiceManager()
    sockets = list(start.sockets)
    wanted = flags.listen_addresses or (() if sockets else (DEFAULT_LISTEN_ADDRESS,))
    addresses = [parse_address(text) for text in wanted]
    socket_file = SocketPermissions(flags.socket_mode, *parse_owner(flags.socket_owner))
    raise_descriptor_limit()
    if privileges.user is not None:
        service_manager.connect()
    # Ports below 1024 need a capability, so this comes before the capabilities are dropped.
    sockets += bind(addresses, file=socket_file)
    sandboxes = privileges.drop_all(brokers=start.brokers is not None)
    brokers = None if start.brokers is None else Brokers.of(start.brokers)
    if brokers is not None:
        named.read_by(brokers.files.read_host_file)
    own_sockets = {os.fstat(each.fileno()).st_ino for each in sockets}
    sampler = Sampler(config, host_environment(brokers, sandboxes=sandboxes), own_sockets)
    supervision = Supervision(None if start.brokers is None else start.brokers.supervisor)
    writer, limit = start.log_writer, start.log_limit
    daemon = Daemon(flags, files, sampler, service_manager, supervision, writer, limit, SYSTEM_CLOCK)
    return asyncio.run(daemon.serve(sockets, signals))


class Daemon:
    """The running exporter: the sampler's thread, the server in this one, and the signals."""

    def __init__(  # noqa: PLR0913, PLR0917 # these are its parts
        self,
        flags: RunFlags,
        files: ConfigFiles,
        sampler: Sampler,
        service_manager: ServiceManager,
        supervision: Supervision,
        log_writer: LogWriter,
        limit: LogLimit,
        clock: Clock,
    ) -> None:
        """Only the log runs yet."""
        self._log_writer = log_writer
        self._service_manager = service_manager
        self._sampler = sampler
        self._clock = clock
        self._supervision = supervision
        self._needed_threads = NeededThreads()
        self._limits = limits_of_clients(flags)
        self._web = files.web
        self._reloads = files.reloads(sampler.configure, service_manager, self.status, clock)
        page = Page(
            sampler,
            lambda: self._reloads.last,
            build_info(),
            clock,
            ProcessCollector(registry=None),
            log_lines=lambda: LogLines(unwritten=log_writer.dropped, repeated=limit.left_out),
        )
        self._allowance = CpuAllowance(self._client_share)
        self._page_threads = ThreadPoolExecutor(1, "page")
        pages = SharedPages(page, self._allowance, self._page_threads)
        self._document_threads = ThreadPoolExecutor(1, "document")
        documents = build_documents(sampler, clock, self._document_threads, self._allowance)
        status_pages = StatusPages(documents, self._document_threads, self._allowance)
        router = build_router(flags, pages, documents, status_pages, sampler, self._reloads)
        self._responder = self._web.guard(router, self._client_share)
        log_writer.start()

    async def serve(self, sockets: Sequence[socket.socket], signals: ProcessSignals) -> int:
        """Serve until a signal or a failure ends it, and return the exit status."""
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        signals.serve(loop, end=ended.set, reload=self._reloads.ask)
        end = partial(loop.call_soon_threadsafe, ended.set)
        self._sampler.start(failed=end)
        self._supervision.watch(end)
        self._reloads.start()
        for threads in (self._page_threads, self._document_threads):
            # They run from now on, so that it is seen when they do not any more.
            threads.submit(int)
        server = Server(self._responder, sockets, self._allowance, self._limits, self._web.transport)
        self._web.start(partial(loop.call_soon_threadsafe, server.renew_connections))
        await self._wait_for_first_sample(ended)
        server.start()
        log.info("listening", extra={"fields": {"address": _names(sockets), "version": __version__}})
        tasks = [
            asyncio.create_task(self._service_manager.report(self)),
            asyncio.create_task(self._needed_threads.watch(ended.set)),
        ]
        await ended.wait()
        signals.ignore()
        self._end_by_force()
        for task in tasks:
            task.cancel()
        self._reloads.stop()
        self._web.stop()
        self._service_manager.stopping()
        self._sampler.stop(_STOP_SECONDS)
        await server.stop()
        for threads in (self._page_threads, self._document_threads):
            threads.shutdown(wait=False, cancel_futures=True)
        log.info("stopped")
        return self._status()

    def _end_by_force(self) -> None:
        """Have this process end where a thread keeps it from doing so, as one that waits for a file does."""

        def end() -> None:
            time.sleep(_FORCED_STOP_SECONDS)
            log.warning("ended while something was still at work")
            self._log_writer.flush(LOG_SECONDS)
            os._exit(self._status())

        threading.Thread(target=end, name="end", daemon=True).start()

    def _status(self) -> int:
        lost = self._sampler.failure is not None or self._supervision.lost or self._needed_threads.lost
        return 1 if lost else 0

    def _client_share(self) -> float:
        """Return which part of a core clients may use.

        A little less than samples may: together with what neither is, that stays within twice the budget.
        """
        budget = self._sampler.config.sampling.cpu_budget_ratio
        return max(_MIN_CLIENT_SHARE, budget * _CLIENT_PART)

    async def _wait_for_first_sample(self, ended: asyncio.Event) -> None:
        """Return when the page has every listener with its owner, or after three seconds."""
        until = self._clock.monotonic() + _FIRST_SAMPLE_SECONDS
        while not (ended.is_set() or self._complete() or self._clock.monotonic() > until):  # noqa: ASYNC110
            await asyncio.sleep(_POLL_SECONDS)

    def _complete(self) -> bool:
        if not self._sampler.all_sources_ran():
            return False
        with self._sampler.lock:
            return self._sampler.all_namespaces_sampled() and self._sampler.all_owners_searched()

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
        plural = "" if len(listeners) == 1 else "s"
        parts = [f"{len(listeners)} listener{plural}, {full} full; network namespaces: {namespaces}"]
        # Read once: the thread that reloads may change it.
        error = self._reloads.error
        if error is not None:
            first, *_ = error.splitlines()
            parts.append(f"configuration not reloaded: {first}")
        if failed:
            parts.append("cannot see: " + ", ".join(f"{runner.name} of {runner.netns}" for runner in failed))
        return "; ".join(parts)


def _names(sockets: Sequence[socket.socket]) -> str:
    return " ".join(map(name_of, sockets))
