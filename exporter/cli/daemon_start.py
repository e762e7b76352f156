"""The start of the daemon: the brokers are forked first, and only then its modules are imported.

What is imported before is in the memory of all processes, and of most modules the brokers need none.
"""

from __future__ import annotations

import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from exporter.broker.supervisor import StartedBrokers
from exporter.cli import logs, output
from exporter.cli.flags import RunFlags
from exporter.cli.imports import without_garbage_collection
from exporter.cli.log_limit import LogLimit
from exporter.cli.log_writer import LogWriter
from exporter.cli.passed_sockets import passed_sockets
from exporter.cli.preload import preload
from exporter.cli.privileges import Privileges
from exporter.cli.signals import ProcessSignals
from exporter.sampling.clock import SYSTEM_CLOCK

LOG_SECONDS: Final = 0.2


@dataclass(frozen=True, slots=True)
class DaemonStart:
    """What there is before the daemon.

    `sockets` are those that the service manager passed. `files` are the paths of those that the flags name,
    and that these name. `brokers` are None where they could see nothing that this process cannot.
    """

    log_writer: LogWriter
    log_limit: LogLimit
    sockets: Sequence[socket.socket]
    files: Sequence[str]
    privileges: Privileges
    brokers: StartedBrokers | None


def run(flags: RunFlags, signals: ProcessSignals) -> int:
    """Sample and serve until a signal comes. Return 0 after SIGTERM or SIGINT, 1 where a part of it broke.

    Raises ConfigError, UsageError or RunError before anything is sampled.
    """
    log_writer, log_limit = LogWriter(output.STANDARD_ERROR), LogLimit(SYSTEM_CLOCK.monotonic)
    # Its lines are kept until there may be threads.
    logs.set_up(flags.log_level, flags.log_format, log_writer, log_limit)
    try:
        sockets = passed_sockets()
        files = _named_files(flags)
        privileges = Privileges.wanted(flags.user, sandbox=flags.sandbox)
        if privileges.user is not None:
            preload()
        brokers = privileges.start_brokers(files)
        start = DaemonStart(log_writer, log_limit, sockets, files, privileges, brokers)
        with without_garbage_collection():
            from exporter.cli import daemon  # noqa: PLC0415  (after the brokers)

        return daemon.run(flags, signals, start)
    finally:
        log_writer.flush(LOG_SECONDS)


def _named_files(flags: RunFlags) -> list[str]:
    """Raises ConfigError where the web configuration is wrong, and RunError where reading takes too long."""
    files = flags.config_files
    if flags.web_config_file:
        from exporter.cli.web_config_paths import paths_in  # noqa: PLC0415  (seldom needed)

        files += paths_in(flags.web_config_file)
    return files
