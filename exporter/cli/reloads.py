"""Reading the configuration again, in a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, Protocol

from exporter.cli.file_changes import FileChanges
from exporter.cli.systemd import ServiceManager
from exporter.config import Config, ConfigFile
from exporter.errors import ExporterError
from exporter.metrics.context import Reload
from exporter.sampling.clock import Clock

_STOPPED: Final = "the exporter is about to end"

log = logging.getLogger(__name__)


class Reloaded(Protocol):
    """A file that is read again."""

    path: str

    def load(self) -> Callable[[], None]:
        """Read it, and return what puts it into force. Raises ExporterError."""
        ...


class ReloadedConfig:
    """The file of --config.file; `take` puts a configuration into force."""

    def __init__(self, file: ConfigFile, take: Callable[[Config], None]) -> None:
        self.path = file.path
        self._file = file
        self._take = take

    def load(self) -> Callable[[], None]:
        """Read it, and return what puts it into force. Raises ConfigError or RunError."""
        return partial(self._take, self._file.load())


class Reloads:
    """Reads files one time after the other; what is asked for meanwhile is one more reading.

    Where one of the files is wrong, all stay as they were. `status` describes the service for its manager.
    """

    def __init__(
        self,
        files: Sequence[Reloaded],
        service_manager: ServiceManager,
        status: Callable[[], str],
        clock: Clock,
        changes: FileChanges,
    ) -> None:
        """Without files there is nothing to read. The last reading was the one at the start.

        They are also read where `changes` sees that one has changed.
        """
        self.last = Reload(successful=True, timestamp=clock.wall())
        # What is wrong with the files since they were last read.
        self.error: str | None = None
        self._files = files
        self._service_manager = service_manager
        self._status = status
        self._clock = clock
        self._changes = changes
        self._changed = threading.Condition()
        self._asked = 0
        self._done = 0
        self._stopped = False

    def start(self) -> None:
        """Start the thread. It does not keep the program from ending, whatever it waits for."""
        threading.Thread(target=self._run, name="reload", daemon=True).start()

    def stop(self) -> None:
        """Let nobody wait for a reading any more."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()

    def ask(self) -> int:
        """Have the file read, and return the number of the request, without waiting."""
        with self._changed:
            self._asked += 1
            self._changed.notify_all()
            return self._asked

    def reload(self) -> str | None:
        """Have the file read, wait for that, and return what is wrong with it."""
        with self._changed:
            number = self.ask()
            self._changed.wait_for(lambda: self._done >= number or self._stopped)
            return self.error if self._done >= number else _STOPPED

    def _run(self) -> None:
        while True:
            with self._changed:
                wanted = self._changed.wait_for(
                    lambda: self._asked > self._done, self._changes.interval_seconds
                )
                asked = self._asked
            if not self._changes.look() and not wanted:
                continue
            self._service_manager.reloading()
            error = self._read()
            with self._changed:
                self.error = error
                self._done = asked
                self._changed.notify_all()
            self._service_manager.reloaded(self._status())

    def _read(self) -> str | None:
        """Return what is wrong with the files, None where they are in force."""
        if not self._files:
            log.info("nothing to reload: started without --config.file")
            return None
        try:
            for put_into_force in [file.load() for file in self._files]:
                put_into_force()
        except ExporterError as error:
            self._fail()
            for line in str(error).splitlines():
                log.error("configuration not reloaded: %s", line)  # noqa: TRY400  (the text says it all)
            return str(error)
        except (Exception, MemoryError) as error:
            # The next reading may find another file, so this thread goes on.
            self._fail()
            log.exception("configuration not reloaded")
            return f"{type(error).__name__}: {error}"
        self.last = Reload(successful=True, timestamp=self._clock.wall())
        paths = " ".join(file.path for file in self._files)
        log.info("configuration reloaded", extra={"fields": {"file": paths}})
        return None

    def _fail(self) -> None:
        self.last = Reload(successful=False, timestamp=self.last.timestamp)
