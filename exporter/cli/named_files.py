"""Files that the user has named, read again when this process may no longer read them itself."""

from __future__ import annotations

import errno
from collections.abc import Callable, Sequence

from exporter.broker.host_files import HostFile, NamedFile
from exporter.kernel.errors import KernelError
from exporter.yamlfile.errors import ConfigError, printable_path
from exporter.yamlfile.file import content, text, too_large, unreadable


class NamedFiles:
    """Reads files that were named at the start."""

    def __init__(self, paths: Sequence[str]) -> None:
        """Take the paths that the file broker was started with, in the same order."""
        self._indexes = {path: index for index, path in enumerate(paths)}
        self._broker: Callable[[HostFile], bytes] | None = None

    def read_by(self, broker: Callable[[HostFile], bytes]) -> None:
        """Have the file broker read what this process may not, from now on."""
        self._broker = broker

    def read(self, path: str) -> str:
        """Return the text of a file, by its path as it was given. Raises ConfigError."""
        return text(path, self.content)

    def content(self, path: str) -> bytes:
        """Return the content of a file, by its path as it was given. Raises ConfigError."""
        try:
            return content(path)
        except ConfigError as error:
            # One that was named only after the start is none that the broker reads.
            index = self._indexes.get(path)
            if self._broker is None or index is None or not isinstance(error.__cause__, PermissionError):
                raise
        try:
            return self._broker(NamedFile(index))
        except KernelError as error:
            name = printable_path(path)
            message = f"{name}: cannot be read: the file broker has ended, or does not answer; try again"
            raise ConfigError([message]) from error
        except OSError as error:
            raise _failure(path, error) from error


def _failure(path: str, error: OSError) -> ConfigError:
    match error.errno:
        case errno.EFBIG:
            return too_large(path)
        case errno.EINVAL | errno.EISDIR:
            kind = "a directory" if error.errno == errno.EISDIR else "no regular file"
            return ConfigError([f"{printable_path(path)}: is {kind}; a regular file belongs here"])
        case _:
            return unreadable(path, error)
