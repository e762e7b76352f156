"""The page of an exporter, asked about containers."""

from __future__ import annotations

import time

from testbed.daemon import Daemon
from testbed.page import Page
from testbed.waiting import until
from tests.machines import commands

# A machine that is emulated on a busy one.
_DEADLINE_SECONDS = 180.0
_PAUSE_SECONDS = 0.5


class Listeners:
    """What an exporter shows of the listeners of containers."""

    def __init__(self, exporter: Daemon) -> None:
        self._exporter = exporter

    def until_shown(self, netns: str, port: int, **info: str) -> Page:
        """Return a page with httpd's listener and these labels of its info metric."""
        wanted = {"netns": netns, "port": str(port), "process": "httpd", **info}
        pages = list[Page]()

        def listed() -> list[dict[str, str]]:
            """The listeners on this port, which a failure prints."""
            pages[:] = [self._page()]
            return [dict(labels) for labels in pages[0].all("listen_queue_listener_info", port=str(port))]

        until(listed, lambda found: any(wanted.items() <= each.items() for each in found), _DEADLINE_SECONDS)
        return pages[0]

    def until_gone(self, netns: str) -> float:
        """Wait until no sample has this label, and return how many seconds that took."""
        began = time.monotonic()
        until(self._page, lambda page: netns not in namespaces(page), _DEADLINE_SECONDS)
        return time.monotonic() - began

    def until_counted(self, metric: str, **labels: str) -> float:
        """Return the value of a counter as soon as it is above 0."""

        def read() -> float:
            return next(iter(self._page().all(metric, **labels).values()), 0.0)

        return until(read, bool, _DEADLINE_SECONDS)

    def namespaces_during(self, seconds: float) -> set[str]:
        """Return every label of a namespace that was on a page within this time."""
        end = time.monotonic() + seconds
        found = set[str]()
        while time.monotonic() < end:
            found |= namespaces(self._page())
        return found

    def _page(self) -> Page:
        # To make a page takes long here, and the exporter has as much less for its samples.
        time.sleep(_PAUSE_SECONDS)
        return self._exporter.metrics()


def namespaces(page: Page) -> set[str]:
    """The labels of the namespaces on a page."""
    return {value for _, labels in page.samples for name, value in labels if name == "netns"}


def veths() -> set[str]:
    """The names of this machine's ends of the virtual cables to containers."""
    lines = commands.output("ip", "-oneline", "link", "show", "type", "veth").splitlines()
    return {line.split(":")[1].split("@")[0].strip() for line in lines}


def until_unplugged(before: set[str]) -> float:
    """Wait until there are no other veths than before, and return how many seconds that took."""
    began = time.monotonic()
    until(veths, lambda now: now <= before, _DEADLINE_SECONDS)
    return time.monotonic() - began
