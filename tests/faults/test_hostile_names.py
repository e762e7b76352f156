"""Names that users choose: a page stays one that Prometheus reads, and no name stands for somebody else's."""

from __future__ import annotations

import ctypes
import os
import socket
from contextlib import ExitStack

import pytest

from testbed import figures
from testbed.daemon import running
from testbed.page import metrics
from testbed.waiting import until
from tests.faults.tenant import Tenant
from tests.integration import hostile_names, listening_sockets
from tests.integration.metric_values import EAGER

pytestmark = pytest.mark.netns

_PR_SET_NAME = 15
_MAX_BYTES = 256
_LIBC = ctypes.CDLL(None)
# Beside those that break a text: the longest, those that the exporter makes itself, and what it adds.
NAMES = (
    *hostile_names.ABSTRACT,
    b"\xff" * 107,
    "\u202e".encode() * 35,
    b"*",
    b"/run/important.sock (inode 1)",
    b'x"} 1\nlisten_queue_accept_length{address="/run/important.sock"} 99',
)
METRICS_OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def listen() -> list[socket.socket]:
    """Listen under all these names, as a program whose own name is one."""
    _LIBC.prctl(_PR_SET_NAME, b'a"\n\\{}\xff', 0, 0, 0)
    return [listening_sockets.unix(b"\0" + name) for name in NAMES]


@pytest.mark.fault(
    "sockets and a program with names of quotes, newlines, terminal codes, forged series, 108 odd bytes",
    "every one is a listener of its own, no value of a label is longer than 256 bytes, and the page is valid",
)
def test_names_of_sockets_and_of_a_program() -> None:
    with ExitStack() as stack:
        daemon = stack.enter_context(running(config=EAGER))
        stack.enter_context(Tenant(listen))
        page = until(
            daemon.metrics, lambda page: len(page.all("listen_queue_sockets", protocol="unix")) == len(NAMES)
        )
        for text in (daemon.scrape(), daemon.scrape(METRICS_OPENMETRICS)):
            # It fails where two series have equal labels.
            found = metrics(text)
            assert len(found.all("listen_queue_sockets", protocol="unix")) == len(NAMES)
            assert set(found.all("listen_queue_accept_length", protocol="unix").values()) == {0.0}
        lengths = [len(value.encode()) for _, labels in page.samples for _, value in labels]
        assert max(lengths) <= _MAX_BYTES
        assert all(value.isprintable() for _, labels in page.samples for _, value in labels)
        figures.note(f"{len(NAMES)} names, the longest value has {max(lengths)} bytes")


@pytest.mark.fault(
    "a user binds the name that the exporter gives to the second of two listeners with one path",
    "no two series have equal labels",
)
def test_a_name_that_the_exporter_makes_itself() -> None:
    path = f"/tmp/listen-queue-{os.getpid()}.sock"  # noqa: S108  (short enough for a socket)
    with ExitStack() as stack:
        daemon = stack.enter_context(running(config=EAGER + "labels: []\n"))
        first = stack.enter_context(listening_sockets.unix(path))
        os.unlink(path)  # noqa: PTH108
        second = stack.enter_context(listening_sockets.unix(path))
        stack.callback(os.unlink, path)
        inodes = [os.fstat(each.fileno()).st_ino for each in (first, second)]
        copies = [f"{path} (inode {inode})" for inode in inodes]
        for name in copies:
            stack.enter_context(listening_sockets.unix(f"\0{name}"))
            os.chdir("/tmp")  # noqa: S108
            stack.enter_context(listening_sockets.unix(name.removeprefix("/tmp/")))  # noqa: S108
            stack.callback(os.unlink, name)
        until(daemon.metrics, lambda page: len(page.all("listen_queue_sockets", protocol="unix")) == 6)
        figures.note("6 listeners, each with labels of its own")
