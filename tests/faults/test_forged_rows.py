"""Names of unix sockets with what looks like a row of /proc/net/unix, where that is all there is to read."""

from __future__ import annotations

import socket

import pytest

from testbed import figures
from testbed.daemon import Daemon, running
from testbed.page import Page
from testbed.waiting import equals, until
from tests.faults.tenant import Tenant
from tests.integration import listening_sockets
from tests.integration.metric_values import figure

pytestmark = pytest.mark.netns

CONFIG = "sampling: {method: procfs}\n"
FORGED = "0000000000000000: 00000002 00000000 00010000 0001 01 99999999 /run/forged.sock"
NAMES = {
    "the beginning of a row": "0: 00000000 00000000 zzz",
    "a whole row": FORGED,
    "a newline": "",
}


def addresses(page: Page) -> set[str]:
    """The addresses of the unix listeners on a page."""
    return {dict(labels)["address"] for labels in page.all("listen_queue_sockets", protocol="unix")}


def success(daemon: Daemon) -> float | None:
    return figure(daemon, "exporter_source_success", source="unix")


@pytest.mark.parametrize("name", NAMES.values(), ids=NAMES)
@pytest.mark.fault(
    "method procfs: a user binds a unix socket with a newline and a row of /proc/net/unix in its name",
    "nothing is shown that does not listen, and every other listener stays",
)
def test_a_row_in_the_name_of_a_socket(name: str) -> None:
    with (
        listening_sockets.unix("\0important"),
        listening_sockets.unix("\0other"),
        running(config=CONFIG) as daemon,
    ):
        until(lambda: addresses(daemon.metrics()), equals({"@important", "@other"}))
        with Tenant(lambda: listening_sockets.unix(f"\0a\n{name}")):
            expected = {"@important", "@other", rf"@a\x0a{name}"}
            until(lambda: addresses(daemon.metrics()), equals(expected))
            assert success(daemon) == 1
            # As long as it is there: a forged listener would be published a second after it was found.
            taken = figure(daemon, "exporter_samples_total", source="unix") or 0.0
            until(
                lambda: figure(daemon, "exporter_samples_total", source="unix") or 0.0,
                lambda now: now > taken + 40,
            )
            page = daemon.metrics()
            assert addresses(page) == expected
            assert page.value("listen_queue_exporter_source_success", source="unix") == 1
        until(lambda: addresses(daemon.metrics()), equals({"@important", "@other"}))
        figures.note("no sample failed")
        assert not figure(daemon, "exporter_sample_errors_total", source="unix", reason="malformed")


def bind_beside_a_half_closed_pair() -> object:
    """The kernel counts the end that is closed, and no longer shows it."""
    kept, closed = socket.socketpair()
    closed.close()
    return kept, listening_sockets.unix(f"\0a\n{FORGED}")


@pytest.mark.fault(
    "method procfs: the same by a user who keeps one end of a socket pair whose other end is closed",
    "a listener can be made up, since the kernel counts that end too; every other listener stays",
)
def test_a_row_in_the_name_of_a_socket_beside_a_half_closed_pair() -> None:
    with (
        listening_sockets.unix("\0important"),
        listening_sockets.unix("\0other"),
        running(config=CONFIG) as daemon,
    ):
        others = {"@important", "@other"}
        until(lambda: addresses(daemon.metrics()), equals(others))
        with Tenant(bind_beside_a_half_closed_pair):
            until(lambda: addresses(daemon.metrics()), lambda shown: len(shown) > len(others))
            taken = figure(daemon, "exporter_samples_total", source="unix") or 0.0
            until(
                lambda: figure(daemon, "exporter_samples_total", source="unix") or 0.0,
                lambda now: now > taken + 40,
            )
            shown = addresses(daemon.metrics())
            assert others < shown
            figures.note(f"made up: {len(shown - others) - 1}")
        until(lambda: addresses(daemon.metrics()), equals(others))
