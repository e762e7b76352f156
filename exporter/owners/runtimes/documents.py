"""Documents and directories of container runtimes. Others may write there too: nothing in them is trusted.

What is missing, unreadable, too large or malformed is empty and no error: a host has only some runtimes. So
is what has a path that open(2) cannot get, for which Python raises ValueError: a text of JSON may have a NUL
in it, or half a surrogate pair.
"""

from __future__ import annotations

import contextlib
import json
import tomllib
from collections.abc import Mapping
from typing import Any, Final

from exporter.owners.host_files import FileReader

# The configuration of a daemon. While a document is parsed no other thread runs.
_MAX_CONFIGURATION_BYTES: Final = 64 << 10
# What a runtime writes about one container; that of a pod has some hundred kilobytes at most.
_MAX_CONTAINER_BYTES: Final = 1 << 20
# What Podman writes about all containers of a host, a kilobyte and a half for each.
_MAX_LIST_BYTES: Final = 4 << 20
# The users of a host; and an id in a file of nerdctl, of which there is one for each container.
_MAX_TEXT_BYTES: Final = 1 << 20
_MAX_ID_BYTES: Final = 256
# A value takes thirty times as much memory as the two bytes that it may be written with. Podman writes some
# twenty about a container.
_MAX_VALUES: Final = 100_000
# tomllib takes time and memory with the square of the parts of a key; those of daemons have six at most.
_MAX_DOTS: Final = 32


class DocumentReader:
    """Reads documents by absolute path. What is about many containers is read once by each instance."""

    def __init__(self, files: FileReader) -> None:
        self._files = files
        self._directories: dict[str, list[str]] = {}
        self._containers: dict[str, dict[str, Mapping[str, Any]]] = {}
        self._contents: dict[str, dict[str, str]] = {}

    def container(self, path: str) -> Mapping[str, Any]:
        """Return the JSON object that a runtime wrote about one container."""
        return mapping_of(self._json(path, _MAX_CONTAINER_BYTES))

    def containers(self, path: str) -> Mapping[str, Mapping[str, Any]]:
        """Return the objects of the JSON list that a runtime wrote about all containers, by their `id`."""
        if path not in self._containers:
            found = self._json(path, _MAX_LIST_BYTES)
            containers = [mapping_of(each) for each in found] if isinstance(found, list) else []
            self._containers[path] = {text_of(each, "id"): each for each in containers}
        return self._containers[path]

    def json_configuration(self, path: str) -> Mapping[str, Any]:
        """Return the JSON object that configures a daemon."""
        return mapping_of(self._json(path, _MAX_CONFIGURATION_BYTES))

    def toml_configuration(self, path: str) -> Mapping[str, Any]:
        """Return the TOML document that configures a daemon."""
        # RecursionError where it nests too deeply; TOMLDecodeError and UnicodeDecodeError are ValueErrors.
        with contextlib.suppress(OSError, ValueError, RecursionError):
            content = self._files.read(path, _MAX_CONFIGURATION_BYTES)
            if all(line.count(b".") <= _MAX_DOTS for line in content.splitlines()):
                return tomllib.loads(content.decode())
        return {}

    def text(self, path: str, max_bytes: int = _MAX_TEXT_BYTES) -> str:
        """Return the content of a file of text."""
        with contextlib.suppress(OSError, ValueError):
            return self._files.read(path, max_bytes).decode("utf-8", "replace")
        return ""

    def names(self, directory: str) -> list[str]:
        """Return the names in a directory, in order."""
        if directory not in self._directories:
            self._directories[directory] = []
            with contextlib.suppress(OSError, ValueError):
                self._directories[directory] = sorted(self._files.names(directory))
        return self._directories[directory]

    def names_by_content(self, directory: str) -> Mapping[str, str]:
        """Return the names of the files in a directory by what is in them, without white space around it."""
        if directory not in self._contents:
            names = self.names(directory)
            self._contents[directory] = {
                self.text(f"{directory}/{name}", _MAX_ID_BYTES).strip(): name for name in names
            }
        return self._contents[directory]

    def _json(self, path: str, max_bytes: int) -> Any:
        # json.loads raises RecursionError for a document that nests too deeply.
        with contextlib.suppress(OSError, ValueError, RecursionError):
            content = self._files.read(path, max_bytes)
            if sum(map(content.count, (b",", b"[", b"{"))) <= _MAX_VALUES:
                return json.loads(content)
        return None


def mapping_of(value: Any) -> Mapping[str, Any]:
    """Return a mapping that was read from a document; an empty one where the value is none."""
    return value if isinstance(value, dict) else {}


def text_of(document: Mapping[str, Any], key: str) -> str:
    """Return a text that was read from a document; an empty one where the value is none."""
    value = document.get(key)
    return value if isinstance(value, str) else ""
