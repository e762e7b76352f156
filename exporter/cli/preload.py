"""Modules that Python, or a package, imports only where they are first used.

A process that has become another user may no longer be able to read them, as where Python lies in /root.
"""

from __future__ import annotations

import importlib
from typing import Final

_MODULES: Final = (
    # asyncio.to_thread().
    "concurrent.futures.thread",
    # The traceback of an exception that is logged.
    "linecache",
    "traceback",
    # Texts whose encoding is named at run time.
    "encodings.ascii",
    "encodings.idna",
    "encodings.latin_1",
    "encodings.unicode_escape",
)


def preload() -> None:
    """Import all of them."""
    for name in _MODULES:
        importlib.import_module(name)
