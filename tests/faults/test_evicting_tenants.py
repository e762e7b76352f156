"""Users who open thousands of listeners: nobody else's leave the page, and no firing alert resolves."""

from __future__ import annotations

import os
import socket
from contextlib import ExitStack

import pytest

from testbed import figures
from testbed.daemon import Daemon
from testbed.netns import Namespaces
from testbed.page import Page
from testbed.waiting import until
from tests.faults.tenant import UID, Tenant, may_open
from tests.integration import listening_sockets
from tests.integration.other_namespaces import watching

pytestmark = pytest.mark.netns

LENGTH = "listen_queue_accept_length"
OMITTED = "listen_queue_exporter_listeners_omitted"
SHARE = "listen_queue_exporter_namespace_listeners_omitted"
PLACES = 300
CONFIG = f"max_listeners: {PLACES}\n"
VICTIM = "8080"


def full_listeners(count: int) -> list[socket.socket]:
    """Unix listeners with a full queue."""
    may_open(2 * count + 100)
    kept = []
    for number in range(count):
        name = f"\0full-{os.getpid()}-{number}"
        kept += [listening_sockets.unix(name, backlog=0), socket.socket(socket.AF_UNIX)]
        kept[-1].connect(name)
    return kept


def shown(page: Page, netns: str = "host") -> int:
    """How many listeners of a namespace are on a page."""
    return len(page.all(LENGTH, netns=netns))


def exceeded(page: Page) -> dict[frozenset[tuple[str, str]], float]:
    """Whether the victim exceeds its threshold."""
    labels = {"port": VICTIM, "queue": "accept", "severity": "critical"}
    return page.all("listen_queue_threshold_exceeded", **labels)


def check(daemon: Daemon, stack: ExitStack, *, own_namespaces: bool, tenants: int) -> None:
    """Have tenants open four times as many listeners as there are places; fails where others are lost."""
    queue = stack.enter_context(listening_sockets.tcp("127.0.0.1", int(VICTIM), backlog=9))
    stack.enter_context(listening_sockets.clients(queue, 9)[0])
    for port in range(9000, 9020):
        stack.enter_context(listening_sockets.tcp("127.0.0.1", port))
    # The exporter listens itself.
    before = until(daemon.metrics, lambda page: shown(page) == 22 and set(exceeded(page).values()) == {1.0})
    for number in range(tenants):
        each = 4 * PLACES // tenants
        uid = UID if own_namespaces else UID + number
        stack.enter_context(Tenant(lambda: full_listeners(each), own_namespaces=own_namespaces, uid=uid))  # noqa: B023
    page = until(daemon.metrics, lambda page: page.value(OMITTED) >= 3 * PLACES)
    assert page.value("listen_queue_exporter_listeners") == PLACES
    assert exceeded(page) == exceeded(before)
    figures.note(f"{page.value(OMITTED):.0f} listeners of tenants left off")
    if own_namespaces:
        assert shown(page) == 22
        assert page.value(SHARE, netns="host") == 0
    else:
        ports = {dict(labels)["port"] for labels in page.all(LENGTH, protocol="tcp")}
        assert ports >= {VICTIM, "10511", *map(str, range(9000, 9020))}


@pytest.mark.fault(
    "a user opens four times max_listeners full unix listeners, in four network namespaces of their own",
    "every listener of the host stays on the page, and what exceeds its threshold goes on to",
)
def test_a_user_with_namespaces_of_their_own() -> None:
    with ExitStack() as stack:
        daemon = stack.enter_context(watching(CONFIG))
        check(daemon, stack, own_namespaces=True, tenants=4)


@pytest.mark.fault(
    "unprivileged users open four times max_listeners full unix listeners beside the host's services",
    "every listener of another user stays on the page",
)
def test_users_in_the_namespace_of_the_host() -> None:
    with ExitStack() as stack:
        daemon = stack.enter_context(watching(CONFIG))
        check(daemon, stack, own_namespaces=False, tenants=2)


@pytest.mark.fault(
    "a container opens four times max_listeners full listeners",
    "every listener of another container stays on the page",
)
def test_a_container_beside_another() -> None:
    with ExitStack() as stack:
        namespaces = stack.enter_context(Namespaces())
        namespaces.named("fair-victim").listen_tcp(*range(7000, 7030))
        daemon = stack.enter_context(watching(CONFIG + "namespaces: {include: ['fair-*']}\n"))
        until(daemon.metrics, lambda page: shown(page, "fair-victim") == 30)
        hostile = namespaces.named("fair-hostile")
        for start in range(0, 4 * PLACES, 100):
            hostile.listen_unix(*(f"full-{number}" for number in range(start, start + 100)), backlog=0)
        page = until(daemon.metrics, lambda page: page.value(OMITTED) >= 3 * PLACES)
        assert shown(page, "fair-victim") == 30
        assert page.value(SHARE, netns="fair-victim") == 0
        assert page.value(SHARE, netns="fair-hostile") == page.value(OMITTED)
