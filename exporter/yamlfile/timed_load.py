"""Loading what is in files, in a thread, since their file system may not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, Generic, TypeVar

from exporter.errors import ExporterError, RunError
from exporter.yamlfile.errors import printable_path

T = TypeVar("T")

LOAD_SECONDS: Final = 10.0


class TimedLoad(Generic[T]):
    """Loads the same again and again. Who loads waits for file systems for some seconds, not for ever."""

    def __init__(self, path: str, load: Callable[[], T], seconds: float = LOAD_SECONDS) -> None:
        """Nothing is loaded yet. `path` is for messages; `load` raises ExporterError."""
        self._name = printable_path(path)
        self._load = load
        self._seconds = seconds
        self._loading: _Loading[T] | None = None

    def load(self) -> T:
        """Return what was loaded. Raises what `load` raises, and RunError where that takes too long.

        As long as one loading hangs no other one is begun.
        """
        until = time.monotonic() + self._seconds
        if self._loading is not None:
            # What it has read may be from before the files were changed.
            self._wait(self._loading, until)
        self._loading = loading = _Loading(self._load, self._name)
        self._wait(loading, until)
        self._loading = None
        return loading.result()

    def _wait(self, loading: _Loading[T], until: float) -> None:
        if not loading.ended(max(0.0, until - time.monotonic())):
            raise RunError(
                f"{self._name}: not read within {self._seconds:g} s: its file system does not answer"
            )


class _Loading(Generic[T]):
    """One loading, in a thread that does not keep the program from ending."""

    def __init__(self, load: Callable[[], T], name: str) -> None:
        self._load = load
        self._name = name
        self._ended = threading.Event()
        self._results: list[T] = []
        self._error: ExporterError | None = None
        threading.Thread(target=self._run, name="config-file", daemon=True).start()

    def ended(self, seconds: float) -> bool:
        """Wait for its end, and tell whether it has ended."""
        return self._ended.wait(seconds)

    def result(self) -> T:
        """Return what was loaded; to be called after the end. Raises what loading it raised."""
        if self._error is not None:
            raise self._error
        return self._results[0]

    def _run(self) -> None:
        try:
            self._results.append(self._load())
        except ExporterError as error:
            self._error = error
        except Exception as error:  # noqa: BLE001  (it is raised where the result is wanted)
            self._error = RunError(f"{self._name}: cannot be read: {error}")
        finally:
            self._ended.set()
