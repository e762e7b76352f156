"""Whether the files of the configuration have changed, by what is in them.

Their times tell nothing where a file is a link that is set to another one, as the kubelet does it when a
ConfigMap changes.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from exporter.errors import ExporterError
from exporter.yamlfile.timed_load import LOAD_SECONDS, TimedLoad


class FileChanges:
    """Looks at some files again and again, and compares them with what they were at the look before."""

    def __init__(
        self,
        paths: Sequence[str],
        read: Callable[[str], bytes],
        interval_seconds: float | None,
        read_seconds: float = LOAD_SECONDS,
    ) -> None:
        """Nothing is read yet. `read` returns a file's content, or raises ExporterError.

        `interval_seconds` is the time between two looks, None where there are to be none.
        """
        self.interval_seconds = interval_seconds
        self._files = [TimedLoad(path, _reading(read, path), read_seconds) for path in paths]
        self._seen: list[bytes | str] = []

    def look(self) -> bool:
        """Tell whether a file is another one than at the look before; true at the first.

        One that cannot be read is another one, and the same as long as the error is the same.
        """
        if self.interval_seconds is None:
            return False
        before, self._seen = self._seen, [_state(file) for file in self._files]
        return self._seen != before


def _reading(read: Callable[[str], bytes], path: str) -> Callable[[], bytes]:
    return lambda: hashlib.sha256(read(path)).digest()


def _state(file: TimedLoad[bytes]) -> bytes | str:
    try:
        return file.load()
    except ExporterError as error:
        return str(error)
