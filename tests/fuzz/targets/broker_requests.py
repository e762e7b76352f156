"""What the broker and the file broker do with any request: it is answered, or ignored."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

from exporter.broker.access_timer import AccessTimer
from exporter.broker.file_server import FileServer
from exporter.broker.process_files import ProcessFileReader
from exporter.broker.server import BrokerServer
from exporter.broker.switcher import NamespaceSwitcher
from exporter.broker.wire import MAX_MESSAGE_BYTES, NamespaceTarget, pack_reply
from tests.fuzz.target import Target


class _NoNamespaces(NamespaceSwitcher):
    """Enters nothing."""

    def __init__(self) -> None:
        """Open nothing."""

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Stay."""
        yield

    def open_in(self, target: NamespaceTarget) -> NoReturn:
        """Refuse, as for a process that has ended."""
        assert (target.pid == 0) != (target.name == b"")
        raise ProcessLookupError(target.pid)


def run(data: bytes) -> None:
    """Answer the request where there is no process at all."""
    for reply, descriptors in _BROKER.answer(data):
        assert len(pack_reply(reply)) <= MAX_MESSAGE_BYTES
        for descriptor in descriptors:
            os.close(descriptor)
    for answered in _FILES.answer(data):
        assert answered.errno or answered.found


# In place of /proc: a folder that has nothing named by a number.
_NO_PROCESSES = str(Path(__file__).parent)
_BROKER = BrokerServer(_NoNamespaces(), root=_NO_PROCESSES)
_FILES = FileServer(ProcessFileReader(root=_NO_PROCESSES), AccessTimer(2.0))
TARGET = Target(run, max_bytes=512)
